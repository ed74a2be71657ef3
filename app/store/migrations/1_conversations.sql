-- Conversations, their messages and what was shown and heard in them. Times are milliseconds since 1970.
PRAGMA application_id = 1348825699; -- "Perc"

CREATE TABLE conversations (
    id      INTEGER PRIMARY KEY,
    title   TEXT NOT NULL,
    model   TEXT,
    created INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    -- When it was thrown away; it can be taken back until it is purged.
    deleted INTEGER,
    -- The last message of the line that is shown. No reference, or each deleted message would look for conversations.
    head    INTEGER
) STRICT;
CREATE INDEX conversations_by_change ON conversations (changed) WHERE deleted IS NULL;

-- A tree: an edited question and an answer tried again stand beside the old one, below the same parent.
CREATE TABLE messages (
    id           INTEGER PRIMARY KEY,
    conversation INTEGER NOT NULL REFERENCES conversations ON DELETE CASCADE,
    parent       INTEGER REFERENCES messages DEFERRABLE INITIALLY DEFERRED,
    role         TEXT NOT NULL CHECK (role IN ('user', 'assistant')),
    text         TEXT NOT NULL,
    thinking     TEXT NOT NULL DEFAULT '',
    state        TEXT NOT NULL CHECK (state IN ('open', 'whole', 'interrupted', 'failed')),
    why          TEXT,
    tokens       INTEGER,
    seconds      REAL,
    created      INTEGER NOT NULL
) STRICT;
CREATE INDEX messages_by_conversation ON messages (conversation);
CREATE INDEX messages_by_parent ON messages (parent);
CREATE INDEX messages_open ON messages (id) WHERE state = 'open';

-- What was appended to a message and is not in its text yet: a token costs one short row, however long the text is.
CREATE TABLE pieces (
    message  INTEGER NOT NULL REFERENCES messages ON DELETE CASCADE,
    number   INTEGER NOT NULL,
    thinking INTEGER NOT NULL CHECK (thinking IN (0, 1)),
    text     TEXT NOT NULL,
    PRIMARY KEY (message, number)
) STRICT, WITHOUT ROWID;

-- Encoded files, each once however often it was sent.
CREATE TABLE files (
    sha256 BLOB PRIMARY KEY,
    bytes  BLOB NOT NULL
) STRICT;

CREATE TABLE media (
    id       INTEGER PRIMARY KEY,
    message  INTEGER NOT NULL REFERENCES messages ON DELETE CASCADE,
    position INTEGER NOT NULL,
    -- Bytes of the message's text in front of it.
    at       INTEGER NOT NULL,
    kind     TEXT NOT NULL CHECK (kind IN ('image', 'audio', 'video')),
    sha256   BLOB NOT NULL REFERENCES files,
    name     TEXT,
    width    INTEGER,
    height   INTEGER,
    seconds  REAL,
    UNIQUE (message, position)
) STRICT;
CREATE INDEX media_by_file ON media (sha256);

CREATE TRIGGER files_without_media AFTER DELETE ON media
WHEN NOT EXISTS (SELECT 1 FROM media WHERE sha256 = old.sha256)
BEGIN
    DELETE FROM files WHERE sha256 = old.sha256;
END;
