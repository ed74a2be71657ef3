-- Search in titles and texts. Groups of three letters find parts of words, in every script.
CREATE VIRTUAL TABLE titles USING fts5 (
    title, content = 'conversations', content_rowid = 'id', tokenize = 'trigram remove_diacritics 1'
);
CREATE VIRTUAL TABLE texts USING fts5 (
    text, content = 'messages', content_rowid = 'id', tokenize = 'trigram remove_diacritics 1'
);
INSERT INTO titles (titles) VALUES ('rebuild');
INSERT INTO texts (texts) VALUES ('rebuild');

CREATE TRIGGER titles_of_new AFTER INSERT ON conversations
BEGIN
    INSERT INTO titles (rowid, title) VALUES (new.id, new.title);
END;
CREATE TRIGGER titles_of_changed AFTER UPDATE OF title ON conversations
BEGIN
    INSERT INTO titles (titles, rowid, title) VALUES ('delete', old.id, old.title);
    INSERT INTO titles (rowid, title) VALUES (new.id, new.title);
END;
CREATE TRIGGER titles_of_deleted AFTER DELETE ON conversations
BEGIN
    INSERT INTO titles (titles, rowid, title) VALUES ('delete', old.id, old.title);
END;

CREATE TRIGGER texts_of_new AFTER INSERT ON messages
BEGIN
    INSERT INTO texts (rowid, text) VALUES (new.id, new.text);
END;
CREATE TRIGGER texts_of_changed AFTER UPDATE OF text ON messages
BEGIN
    INSERT INTO texts (texts, rowid, text) VALUES ('delete', old.id, old.text);
    INSERT INTO texts (rowid, text) VALUES (new.id, new.text);
END;
CREATE TRIGGER texts_of_deleted AFTER DELETE ON messages
BEGIN
    INSERT INTO texts (texts, rowid, text) VALUES ('delete', old.id, old.text);
END;
