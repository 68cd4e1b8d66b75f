//! The codes of why no plan can be made and of a plan's hazards, with what `pql explain CODE` prints.

use pql_schema::ApplyError;
use pql_syntax::codes::Code;

macro_rules! codes {
    ($($name:ident = $code:literal, $title:literal, $explanation:literal;)*) => {
        $(#[doc = $title] pub const $name: &str = $code;)*
        /// All of them, in order.
        pub const TABLE: &[Code] = &[$(Code { code: $code, title: $title, explanation: $explanation }),*];
    };
}

codes! {
    UNKNOWN_TABLE = "PQL0301", "there is no such table",
        "An operation names a table that neither the database has nor an operation before it creates. The schema is \
         that of the database at the moment, after the operations that come before in the same migration.";
    UNKNOWN_COLUMN = "PQL0302", "there is no such column",
        "An operation names a column that its table does not have at that point of the migration.";
    UNKNOWN_INDEX = "PQL0303", "there is no such index",
        "An operation names an index that does not exist at that point of the migration. An index that belongs to a \
         UNIQUE or PRIMARY KEY constraint has no name of its own: drop the constraint.";
    UNKNOWN_CONSTRAINT = "PQL0304", "there is no such constraint",
        "An operation names a constraint that its table does not have. A constraint without a name is addressed as \
         PostgreSQL would have called it, for example users_email_key; DESCRIBE lists them.";
    UNKNOWN_VIEW = "PQL0305", "there is no such view",
        "An operation names a view that does not exist at that point of the migration.";
    UNKNOWN_TRIGGER = "PQL0306", "there is no such trigger",
        "A statement names a trigger that does not exist at that point of the migration.";
    ALREADY_EXISTS = "PQL0307", "the name is taken",
        "Tables, views and indexes share their names, and columns and constraints are unique in their table.";
    IN_USE = "PQL0308", "something else still needs it",
        "What should go is named by something that stays: a foreign key, a view, a trigger, a generated column. \
         Nothing is dropped silently with something else: drop or change the listed ones in the same migration, first.";
    SECOND_PRIMARY_KEY = "PQL0309", "a table has one primary key",
        "Drop the old primary key in the same migration before the new one is added; the table is then rebuilt once.";
    EMPTY = "PQL0310", "nothing would be left",
        "A table keeps at least one column that is not generated, and a key or an index lists at least one.";
    REPEATED_COLUMN = "PQL0311", "a column is named twice",
        "A key lists each of its columns once.";
    NOT_A_KEY = "PQL0312", "a foreign key refers to no key",
        "The columns that a foreign key refers to must be the primary key of their table, or UNIQUE together and not \
         partially, and as many as the referring ones.";
    INCOMPATIBLE = "PQL0313", "two properties exclude each other",
        "The definition that the migration would leave behind is one that the database does not accept.";
    UNSUPPORTED = "PQL0320", "the database has no such thing",
        "The operation asks for something that this database cannot express. Nothing is left out silently; the \
         message says what to use instead.";
    NEEDS_VALUE = "PQL0321", "the rows that are there need a value",
        "A new column that is NOT NULL needs a DEFAULT, or a BACKFILL for the rows that are there.";
    NO_ROW_KEY = "PQL0322", "the rows of the table cannot be told apart",
        "SQLite reaches the rows of a table by rowid, _rowid_ or oid. All three are names of columns of this table, \
         so that its rows cannot be visited one after the other. Rename one of the columns first.";
    NO_VECTORS = "PQL0323", "the database has no vectors",
        "VECTOR columns need an extension of the database, which is not there.";
    NO_LADDER = "PQL0324", "no plan can be made for this database",
        "Migrations of databases of this family cannot be planned by this version.";
    DROPS_TABLE = "PQL0340", "a table is dropped",
        "The table disappears for the application at once. With retain, it is kept under a hidden name and ROLLBACK \
         brings it back with its rows; PURGE, or the end of retention, removes it for good.";
    DROPS_COLUMN = "PQL0341", "a column is dropped",
        "The column disappears at once. With retain, its values are kept and ROLLBACK brings them back; rows that \
         were inserted in between have none.";
    NARROWS_TYPE = "PQL0342", "a type gets narrower",
        "Values that do not fit the new type stop the migration, which names their rows. ROLLBACK brings the old \
         values back.";
    IRREVERSIBLE = "PQL0343", "a step cannot be taken back",
        "After this step the migration cannot be rolled back past it. Give EXECUTE a REVERT, or let dropped data be \
         retained.";
    LONG_LOCK = "PQL0344", "the database is locked for writing for a while",
        "The step holds the write lock for longer than max_stall. Writers wait, and fail when their busy timeout is \
         shorter. The time is predicted from the table's size and the measured speed of this machine.";
    HIDDEN_COLUMN = "PQL0345", "a hidden column can be seen by position",
        "A dropped or replaced column is kept under a hidden name until it is purged. SELECT * still shows it, and \
         INSERT and COPY without a list of columns still count it: they fail, or the value passes through the old \
         column. Name the columns, purge, or use retain = false.";
    RAW_SQL = "PQL0346", "SQL that is not examined",
        "The statement is run as it is. Its locks and its effect on the schema are not known to the plan.";
    RENAMES = "PQL0347", "a name changes for the application",
        "Statements that use the old name fail from the moment the step is done. Deploy an application that knows \
         both names, or add a view under the old one.";
    NOT_ONLINE = "PQL0348", "it cannot be done without a long lock here",
        "A condition of the online way is not met; the message says which. The plain statement is used.";
    NOT_ENFORCED = "PQL0349", "SQLite does not enforce it",
        "SQLite stores longer text in a VARCHAR(n) and more digits in a DECIMAL(p,s) than they say. The rows that are \
         there are examined; for rows to come, add a CHECK.";
    ROLLBACK_REFUSES = "PQL0350", "the way back may be refused",
        "Rows that are written after the change may not fit the old definition. ROLLBACK then lists them and stops.";
    READERS_WAIT = "PQL0351", "readers wait, too",
        "The database is not in WAL mode: while a step writes, readers wait as well. PRAGMA journal_mode = WAL changes \
         that for good.";
    NEW_TABLE = "PQL0352", "a new table takes the place of the old",
        "Every row that is rewritten gets a new entry in every index of its table, so a table with several indexes is \
         filled anew in less time than one of its columns is updated, and is not left twice its size. The new table \
         follows what is written meanwhile and then takes the name, with all that hangs on it; the old one is kept, \
         and kept true, until it is purged. It is chosen where it is expected to take at most half the time, and where \
         nothing hangs on the table that a new one could not have: foreign keys, triggers, policies, publications and \
         partitions keep the way by a new column.";
    COUNTS_NO_LONGER = "PQL0359", "a key no longer counts by itself",
        "SQLite gives a row that comes without its INTEGER PRIMARY KEY the next number. A key of another type is left \
         NULL, and SQLite accepts that. See that every INSERT says the key, and add NOT NULL.";
}

/// The code of an operation that the schema refuses.
pub(crate) fn of_apply(error: &ApplyError) -> &'static str {
    match error {
        ApplyError::UnknownTable { .. } => UNKNOWN_TABLE,
        ApplyError::UnknownColumn { .. } => UNKNOWN_COLUMN,
        ApplyError::UnknownIndex { .. } => UNKNOWN_INDEX,
        ApplyError::UnknownConstraint { .. } => UNKNOWN_CONSTRAINT,
        ApplyError::UnknownView { .. } => UNKNOWN_VIEW,
        ApplyError::UnknownTrigger { .. } => UNKNOWN_TRIGGER,
        ApplyError::AlreadyExists { .. } => ALREADY_EXISTS,
        ApplyError::InUse { .. } => IN_USE,
        ApplyError::SecondPrimaryKey { .. } => SECOND_PRIMARY_KEY,
        ApplyError::NoColumns { .. } | ApplyError::Empty { .. } => EMPTY,
        ApplyError::RepeatedColumn { .. } => REPEATED_COLUMN,
        ApplyError::KeyLength { .. } | ApplyError::NotAKey { .. } => NOT_A_KEY,
        _ => INCOMPATIBLE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_explained() {
        assert!(TABLE.windows(2).all(|pair| pair[0].code < pair[1].code));
        assert!(TABLE.iter().all(|code| !code.explanation.is_empty() && !code.title.ends_with('.')));
    }
}
