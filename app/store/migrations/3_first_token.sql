-- Of the seconds of an answer, those before its first token.
ALTER TABLE messages ADD COLUMN first_seconds REAL;
