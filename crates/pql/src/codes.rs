//! Every error code of sessions and migration files, and the one place where a code of any layer is explained.

macro_rules! codes {
    ($($name:ident = $code:literal, $title:literal, $explanation:literal;)*) => {
        $(#[doc = $title] pub const $name: &str = $code;)*

        /// Those of this crate, by code.
        static OWN: &[Explanation] =
            &[$(Explanation { code: $code, title: $title, text: $explanation }),*];
    };
}

/// The long form of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explanation {
    /// The stable code.
    pub code: &'static str,
    /// What it is, in a few words.
    pub title: &'static str,
    /// What it means, how it comes about and what to do.
    pub text: &'static str,
}

codes! {
    UNKNOWN_SETTING = "PQL0501", "There is no such setting.",
        "SET, RESET, SHOW, WITH and --set know the settings that SHOW ALL lists, and no others. On PostgreSQL a name that \
         is not PQL's is passed to the server.";
    SETTING_VALUE = "PQL0502", "The setting does not take that value.",
        "Each setting takes one kind of value: true or false, a duration such as '500ms', '5s' or '7 days', a number, or \
         one of a few words. The message says which.";
    UNBOUND_PARAMETER = "PQL0503", "A parameter has no value.",
        "The statement uses @name and nothing is bound to that name. Bind it with -p NAME=VALUE, \\bind NAME VALUE in the \
         shell, or Session::bind. @migration_id is bound by itself to the last migration that the session generated, \
         and @current_version to the database's version.";
    PARAMETER_VALUE = "PQL0504", "The value does not fit where it stands.",
        "A migration id is a UUID, a version a whole number that is not negative, a count a whole number from 1, and an \
         application schema is PQL text or the JSON that `pql schema --output json` prints.";
    FILE = "PQL0505", "A file cannot be read or written.",
        "The message gives the file and the reason that the operating system gave. Paths are relative to the directory \
         in which the program was started.";
    SESSION_CLOSED = "PQL0506", "The session has ended.",
        "The thread that works for this session is gone, because of an internal error that was reported before. Open \
         another session; what was committed is safe, and an interrupted migration can be resumed.";
    BAD_LITERAL = "PQL0507", "The text inside a literal is malformed.",
        "A string with escapes (E'…' or U&'…') or a blob (x'…') has content that stands for nothing: an escape that makes no \
         character, or an odd number of hexadecimal digits.";
    CONVERSION = "PQL0508", "The rows do not have the form that was asked for.",
        "Rows are converted by the names of their columns. A field that has no column, or whose type does not fit \
         the value, cannot be filled.";
    NOT_YET_KNOWN = "PQL0509", "A file can only be checked when those before it have run.",
        "A file before it holds SQL that PQL does not model, which may make what this one names. It parses, and the rest is \
         looked at when its turn comes.";
    NO_QUESTION = "PQL0514", "An answer has no question.",
        "Questions about renames are numbered rename_1, rename_2, … for the same two schemas. The answer is to none of \
         them: the schemas have changed since it was asked, or the number is mistyped. The help lists those there are.";
    NO_DATABASE = "PQL0512", "No database is named.",
        "The statement needs a database. Name one on the command line (pql app.db), in the environment variable \
         PQL_DATABASE, as `database` in pql.toml, or with SessionBuilder::database.";

    LOSES_DATA = "PQL0513", "Data would be lost for good.",
        "With retain = false nothing is kept for a rollback, so an operation that drops a table or a column, or narrows a \
         type, cannot be taken back. Say allow_destructive = true when that is meant; by default what is dropped is \
         retained until it is purged.";

    DUPLICATE_NUMBER = "PQL0601", "Two migration files have the same number.",
        "The number in front of a file's name gives the order in which files are applied, so each may occur once (the \
         up file and the down file of a migration share it). It happens when two branches add a file each: give one of \
         them the next free number.";
    NUMBER_GAP = "PQL0602", "A number is missing between the migration files.",
        "Files are numbered without gaps, so that a file that was not checked in is noticed. Add the missing \
         file or close the gap.";
    OUT_OF_ORDER = "PQL0603", "A migration file is older than one that is applied.",
        "A file with a smaller number than the newest applied one has not been applied. Applied now it would run in \
         another order here than elsewhere. Give it the next free number, or say --allow-out-of-order.";
    FILE_CHANGED = "PQL0604", "An applied migration file was changed.",
        "The content of the file is not what was applied: its tokens differ (line ends, blanks and comments do not \
         count). A change of an applied file reaches no database that has it. Restore the file and write the change \
         as a new migration; after a deliberate edit, `pql migrate repair` records the new content.";
    FILE_MISSING = "PQL0605", "The file of an applied migration is gone.",
        "The journal lists a file as applied that is not in the directory, perhaps because another branch is checked out or \
         --dir points elsewhere. Restore it; after a deliberate removal, `pql migrate repair` forgets it.";
    NO_WAY_BACK = "PQL0606", "A migration file cannot be rolled back.",
        "It has no down file, and an operation in it (SQL that PQL does not model) has no way back by itself. Write a \
         down file with the opposite change.";
    DANGEROUS = "PQL0607", "A migration file loses data.",
        "DROP TABLE, DROP COLUMN, TRUNCATE, DELETE or UPDATE without WHERE, and a type that becomes narrower lose what \
         cannot be written again. They are found in the parsed statement, not in its text. Say --allow-destructive when it is \
         meant.";
    DISK_SPACE = "PQL0608", "There is not enough free disk space.",
        "The migration's estimate of additional space is more than the file system has free. Free some space, or run \
         it where there is enough.";
    FILE_NAME = "PQL0609", "A file's name is not that of a migration.",
        "Migration files are called NUMBER_words.up.sql and NUMBER_words.down.sql, the number with three digits or more, \
         as `pql migrate create` makes them.";
    SCRIPT_STATEMENT = "PQL0610", "A statement has no place in a migration file.",
        "A migration file holds definitions, MIGRATE GENERATE operations and SQL of the database, which become one \
         migration. Statements that steer the session or other migrations (SET, MIGRATE APPLY, BEGIN, COMMIT, …) do not belong there.";
    EMPTY_FILE = "PQL0611", "A migration file has no statement.",
        "The up file holds only its header. Write what the migration should do, or remove the file.";
    FLEET = "PQL0613", "A list of databases cannot be used.",
        "`--databases FILE` names a file with one database a line; empty lines and lines that start with # do not \
         count. Each database may be listed once.";
    CHECK_DIFFERS = "PQL0612", "The database differs from the schema file.",
        "`pql detect --check` ends with exit code 3 when anything separates the two. Without --check it lists the \
         operations and ends with 0.";
}

/// The long form of a code of any layer; upper or lower case.
pub fn explain(code: &str) -> Option<Explanation> {
    all().find(|entry| entry.code.eq_ignore_ascii_case(code))
}

/// The codes of every layer.
pub fn all() -> impl Iterator<Item = Explanation> {
    let syntax = pql_syntax::codes::all().iter();
    syntax
        .chain(pql_planner::lower::codes::TABLE)
        .chain(pql_planner::codes::TABLE)
        .map(|entry| Explanation { code: entry.code, title: entry.title, text: entry.explanation })
        .chain(pql_engine::codes::ALL.iter().map(|entry| Explanation {
            code: entry.code,
            title: entry.title,
            text: entry.explanation,
        }))
        .chain(OWN.iter().copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_explained() {
        let mut codes: Vec<&str> = all().map(|entry| entry.code).collect();
        let count = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), count);
        for entry in all() {
            assert!(!entry.text.is_empty(), "{}", entry.code);
            assert_eq!(explain(&entry.code.to_lowercase()), Some(entry));
        }
        assert_eq!(explain("PQL9999"), None);
    }
}
