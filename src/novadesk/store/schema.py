"""The schema of the store and its forward-only migrations, one script a version (`PRAGMA user_version`)."""

import sqlite3

_VERSION_1 = """
CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

-- `titled_ms` and `starred_ms` let the last writer win when two machines name one conversation.
CREATE TABLE conversation (
  number INTEGER PRIMARY KEY,
  handle TEXT NOT NULL UNIQUE,
  label TEXT NOT NULL,
  title TEXT NOT NULL,
  titled_ms INTEGER NOT NULL DEFAULT 0,
  starred INTEGER NOT NULL DEFAULT 0,
  starred_ms INTEGER NOT NULL DEFAULT 0,
  backend TEXT NOT NULL,
  origin TEXT NOT NULL DEFAULT 'local' CHECK (origin IN ('local', 'remote')),
  created_ms INTEGER NOT NULL,
  updated_ms INTEGER NOT NULL,
  pulled_ms INTEGER NOT NULL DEFAULT 0,
  turns INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX conversation_newest ON conversation (updated_ms DESC, number DESC);

-- `number` is the row id of the full-text index. `revision` grows when an unconfirmed turn is replaced.
CREATE TABLE turn (
  number INTEGER PRIMARY KEY,
  turn_id TEXT NOT NULL UNIQUE,
  conversation INTEGER NOT NULL REFERENCES conversation ON DELETE CASCADE,
  position INTEGER NOT NULL,
  role TEXT NOT NULL CHECK (role IN ('user', 'assistant')),
  text TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  wire_session TEXT NOT NULL,
  heard_chars INTEGER,
  interrupted INTEGER NOT NULL DEFAULT 0,
  unconfirmed INTEGER NOT NULL DEFAULT 0,
  typed INTEGER NOT NULL DEFAULT 0,
  sync TEXT NOT NULL CHECK (sync IN ('local', 'pending', 'synced', 'failed')),
  revision INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX turn_order ON turn (conversation, position);

-- Every remote step known of, delivered or read; a torn or foreign one has no turn.
CREATE TABLE step (
  step_id TEXT PRIMARY KEY,
  handle TEXT NOT NULL,
  turn_id TEXT,
  generation INTEGER NOT NULL,
  step_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX step_of_conversation ON step (handle, step_ms);

-- One row a wish for the remote side. `conversation` is a handle, not a key: a deletion outlives the conversation.
CREATE TABLE outbox (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  conversation TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('session', 'turn', 'metadata', 'delete')),
  turn INTEGER REFERENCES turn ON DELETE CASCADE,
  step_id TEXT,
  revision INTEGER NOT NULL DEFAULT 0,
  attempts INTEGER NOT NULL DEFAULT 0,
  due_ms INTEGER NOT NULL DEFAULT 0,
  lease INTEGER,
  leased_until_ms INTEGER NOT NULL DEFAULT 0,
  parked TEXT
) STRICT;
CREATE INDEX outbox_order ON outbox (conversation, number);
CREATE UNIQUE INDEX outbox_turn ON outbox (turn) WHERE turn IS NOT NULL;

-- The chain of remote sessions of a conversation. Their ids lie in the keyring: here is only that they exist.
CREATE TABLE remote_session (
  handle TEXT NOT NULL,
  generation INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('intended', 'bound', 'closed')),
  in_keyring INTEGER NOT NULL DEFAULT 0,
  created_ms INTEGER NOT NULL,
  steps INTEGER NOT NULL DEFAULT 0,
  last_step_ms INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (handle, generation)
) STRICT, WITHOUT ROWID;

CREATE TABLE tombstone (handle TEXT PRIMARY KEY, deleted_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;
"""

# The index holds what the person heard, as view and export show it. It has no copy of the text: the triggers hand it
# the very words that were indexed, so that they can be taken out again. Marks belong to words: Hindi writes vowels so.
_VERSION_2 = """
ALTER TABLE conversation ADD COLUMN labelled_ms INTEGER NOT NULL DEFAULT 0;

CREATE TABLE measurement (
  number INTEGER PRIMARY KEY,
  at_ms INTEGER NOT NULL,
  kind TEXT NOT NULL,
  value REAL NOT NULL
) STRICT;
CREATE INDEX measurement_time ON measurement (at_ms);

CREATE VIEW heard_turn AS
  SELECT number, iif(heard_chars IS NULL, text, substr(text, 1, heard_chars)) AS text FROM turn;

CREATE VIRTUAL TABLE turn_text USING fts5 (
  text, content = 'heard_turn', content_rowid = 'number',
  tokenize = "unicode61 remove_diacritics 2 categories 'L* N* Co Mn Mc'"
);
CREATE TRIGGER turn_text_added AFTER INSERT ON turn BEGIN
  INSERT INTO turn_text (rowid, text)
    VALUES (new.number, iif(new.heard_chars IS NULL, new.text, substr(new.text, 1, new.heard_chars)));
END;
CREATE TRIGGER turn_text_removed AFTER DELETE ON turn BEGIN
  INSERT INTO turn_text (turn_text, rowid, text)
    VALUES ('delete', old.number, iif(old.heard_chars IS NULL, old.text, substr(old.text, 1, old.heard_chars)));
END;
CREATE TRIGGER turn_text_changed AFTER UPDATE OF text, heard_chars ON turn BEGIN
  INSERT INTO turn_text (turn_text, rowid, text)
    VALUES ('delete', old.number, iif(old.heard_chars IS NULL, old.text, substr(old.text, 1, old.heard_chars)));
  INSERT INTO turn_text (rowid, text)
    VALUES (new.number, iif(new.heard_chars IS NULL, new.text, substr(new.text, 1, new.heard_chars)));
END;
INSERT INTO turn_text (turn_text) VALUES ('rebuild');
"""

# `step_ms` is the time promised to a step when its row was first leased: a repetition says the same. `again` marks what
# the service had and lost. `mark` tells a remote session from others without being its id; `gone` ones hold nothing.
_VERSION_3 = """
ALTER TABLE outbox ADD COLUMN step_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN again INTEGER NOT NULL DEFAULT 0;
ALTER TABLE remote_session ADD COLUMN mark TEXT NOT NULL DEFAULT '';
ALTER TABLE remote_session ADD COLUMN gone INTEGER NOT NULL DEFAULT 0;
"""

# `leaving_ms`: deleted at that time, and to be brought back until it is done. `leaving_here`: from this computer only,
# which a tombstone calls `remote_kept`. `scenario` is what the conversation was begun with. `edited` is what the person
# wants to read in the place of what was heard; the index follows what is read. `turn_text` knows its view by name.
_VERSION_4 = """
ALTER TABLE conversation ADD COLUMN leaving_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE conversation ADD COLUMN leaving_here INTEGER NOT NULL DEFAULT 0;
ALTER TABLE conversation ADD COLUMN scenario TEXT NOT NULL DEFAULT '';
ALTER TABLE tombstone ADD COLUMN remote_kept INTEGER NOT NULL DEFAULT 0;
ALTER TABLE turn ADD COLUMN edited TEXT;

DROP TRIGGER turn_text_added;
DROP TRIGGER turn_text_removed;
DROP TRIGGER turn_text_changed;
DROP VIEW heard_turn;
CREATE VIEW heard_turn AS
  SELECT number, coalesce(edited, iif(heard_chars IS NULL, text, substr(text, 1, heard_chars))) AS text FROM turn;
CREATE TRIGGER turn_text_added AFTER INSERT ON turn BEGIN
  INSERT INTO turn_text (rowid, text) VALUES (new.number,
    coalesce(new.edited, iif(new.heard_chars IS NULL, new.text, substr(new.text, 1, new.heard_chars))));
END;
CREATE TRIGGER turn_text_removed AFTER DELETE ON turn BEGIN
  INSERT INTO turn_text (turn_text, rowid, text) VALUES ('delete', old.number,
    coalesce(old.edited, iif(old.heard_chars IS NULL, old.text, substr(old.text, 1, old.heard_chars))));
END;
CREATE TRIGGER turn_text_changed AFTER UPDATE OF text, heard_chars, edited ON turn BEGIN
  INSERT INTO turn_text (turn_text, rowid, text) VALUES ('delete', old.number,
    coalesce(old.edited, iif(old.heard_chars IS NULL, old.text, substr(old.text, 1, old.heard_chars))));
  INSERT INTO turn_text (rowid, text) VALUES (new.number,
    coalesce(new.edited, iif(new.heard_chars IS NULL, new.text, substr(new.text, 1, new.heard_chars))));
END;
"""

# Both are of answers only, and empty where nothing is known, as in turns of earlier versions. `tools` are names with
# blanks between them; a name has none.
_VERSION_5 = """
ALTER TABLE turn ADD COLUMN voice TEXT NOT NULL DEFAULT '' COLLATE NOCASE;
ALTER TABLE turn ADD COLUMN tools TEXT NOT NULL DEFAULT '';
CREATE INDEX turn_voice ON turn (conversation, voice) WHERE voice <> '';
CREATE INDEX turn_tools ON turn (conversation, tools) WHERE tools <> '';
"""

_SCRIPTS: tuple[str, ...] = (_VERSION_1, _VERSION_2, _VERSION_3, _VERSION_4, _VERSION_5)

NEWEST = len(_SCRIPTS)
"""The schema version that this program writes."""


def version(db: sqlite3.Connection) -> int:
    """Return the schema version of a file; 0 for an empty one."""
    (found,) = db.execute("PRAGMA user_version").fetchone()
    return int(found)


def migrate(db: sqlite3.Connection) -> None:
    """Bring the schema up to `NEWEST`, each version in one transaction; one that fails leaves the file as it was."""
    for number in range(version(db), NEWEST):
        script = f"BEGIN IMMEDIATE; {_SCRIPTS[number]} PRAGMA user_version = {number + 1}; COMMIT;"
        try:
            db.executescript(script)
        except sqlite3.Error:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
