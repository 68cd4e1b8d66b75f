//! The codes of lowering's findings, with what `pql explain CODE` prints.

use pql_syntax::codes::Code;

macro_rules! codes {
    ($($name:ident = $code:literal, $title:literal, $explanation:literal;)*) => {
        $(#[doc = $title] pub const $name: &str = $code;)*
        /// All of them.
        pub const TABLE: &[Code] = &[$(Code { code: $code, title: $title, explanation: $explanation }),*];
    };
}

codes! {
    UNKNOWN = "PQL0201", "something by that name does not exist",
        "The statement names a table, column, index, constraint or view that the database does not have at that \
         point: operations of one migration see what the ones before them did. The message lists the nearest names; \
         DESCRIBE shows all of them. IF EXISTS skips what is not there.";
    EXISTS = "PQL0202", "something by that name exists already",
        "A table, column, index, constraint or view by that name is there already. Indexes share one namespace with \
         tables. IF NOT EXISTS skips what is there, whatever its definition is.";
    IN_USE = "PQL0203", "other objects depend on it",
        "Foreign keys of other tables, views, triggers or generated columns name what the statement would take away. \
         PQL never takes them along silently: drop or change those first, or in the same migration before this \
         operation.";
    UNBOUND = "PQL0204", "a parameter has no value",
        "@name stands for a value that the session was given: with -p name=value on the command line, \\bind in the \
         shell, or Session::bind in Rust. @migration_id and @current_version are bound by the session itself once \
         there is a migration.";
    BAD_NAME = "PQL0205", "a name has too many or too few parts",
        "Columns and constraints are named table.column or schema.table.column, tables and indexes by themselves or \
         with their schema. A SQLite database has one schema, main.";
    UNSUPPORTED = "PQL0206", "the database does not have this",
        "The definition uses something that the connected database cannot express, such as an index method or an \
         array column on SQLite. PQL does not drop what it cannot carry out.";
    BAD_VALUE = "PQL0207", "a value of the wrong kind",
        "A parameter or literal is of another kind than the place takes, or is malformed inside.";
    NOT_A_DEFINITION = "PQL0208", "not a definition",
        "An application schema consists of CREATE TABLE, CREATE INDEX, CREATE VIEW, CREATE TRIGGER and ALTER TABLE \
         statements: it says what the database should look like, not what should be done to it.";
    IMPOSSIBLE = "PQL0209", "the change is not possible",
        "The operation contradicts the table it is for, such as a second primary key or a foreign key whose columns \
         do not match those it refers to. The message says what is in the way.";
    RESERVED = "PQL0211", "a name is reserved",
        "Names that begin with _pql_ are PQL's own: its journal, and what it retains for a rollback, are called so. On \
         SQLite, tables, indexes and views whose names begin with sqlite_ are the database's own. Choose another name.";
    BAD_JSON = "PQL0210", "not a schema in JSON",
        "The JSON form of a schema is what `pql schema --output json` prints. The message says where it is \
         different.";
}
