//! Every error code of the engine, in one table: the constant that the code is raised by, its title, and the long
//! form that `pql explain` prints.
//!
//! A code never changes its meaning and is never given again.

/// A code with its explanation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeInfo {
    /// The stable code.
    pub code: &'static str,
    /// What it is, in a few words.
    pub title: &'static str,
    /// What it means, how it comes about and what to do.
    pub explanation: &'static str,
}

/// The explanation of a code, when it is one of the engine's.
pub fn explain(code: &str) -> Option<&'static CodeInfo> {
    ALL.iter().find(|info| info.code.eq_ignore_ascii_case(code))
}

macro_rules! codes {
    ($($name:ident = $code:literal, $title:literal, $explanation:literal;)*) => {
        $(#[doc = $title] pub const $name: &str = $code;)*

        /// All of them, by code.
        pub static ALL: &[CodeInfo] =
            &[$(CodeInfo { code: $code, title: $title, explanation: $explanation }),*];
    };
}

codes! {
    PAUSED = "PQL0401", "The run was paused.",
        "A PAUSE from this or another session stopped the run between two transactions. Everything up to there is \
         committed and journalled; the application works on as before. MIGRATE RESUME continues where it stopped, \
         MIGRATE CANCEL takes it back.";
    CANCELLED = "PQL0402", "The run was cancelled.",
        "A CANCEL from this or another session stopped the run, and what it had done was taken back. The migration is \
         kept in the journal and can be applied again.";
    LEASE = "PQL0403", "Another runner is at work on this database.",
        "One runner changes a database at a time; it holds a lease with its name, which it renews every few seconds. \
         Wait for it, or stop it with MIGRATE PAUSE or MIGRATE CANCEL. When the process is gone its lease ends by \
         itself: at once on the same machine, after 15 seconds otherwise.";
    LOCKED = "PQL0404", "A lock could not be had in time.",
        "Somebody held a lock that the statement needs for longer than the time that was allowed. Nothing was changed \
         by the attempt. The settings lock_timeout (one attempt) and retry_for (all of them) say how long to try.";
    UNKNOWN_MIGRATION = "PQL0405", "There is no such migration.",
        "The journal of this database has no migration of that id. MIGRATE STATUS lists those it has. Every database \
         keeps its own journal: a migration that was generated in another one is not known here.";
    UNKNOWN_VERSION = "PQL0406", "The database has never had that version.",
        "A version is the number of migrations that are applied. The journal knows the schema of each version from \
         the first migration (version 0 is what was there before it) to the present one; those that were rolled back \
         are gone.";
    ALREADY_APPLIED = "PQL0407", "The migration is applied already.",
        "Applying a migration twice would do its work twice, so it is refused. To do it again, roll it back first; to \
         make another change, generate another migration.";
    NOT_APPLIED = "PQL0408", "The migration is not applied.",
        "Only an applied migration can be rolled back. One that failed or was cancelled has been taken back already, \
         and one that was rolled back is not rolled back twice.";
    LATER_APPLIED = "PQL0409", "Later migrations stand on this one.",
        "Migrations are rolled back newest first, because a later one may rely on what an earlier one made. Roll the \
         later ones back first: MIGRATE ROLLBACK LAST n, or TO VERSION v, does it in order.";
    MOVED = "PQL0410", "The tables have changed since.",
        "A migration (or the plan of an interrupted run) is made for certain tables as they are at that moment. They \
         have been changed since by another migration or by hand, so what was checked then may not hold now. \
         Generate the migration again. Changes of tables that it does not touch do not matter.";
    INTERRUPTED = "PQL0411", "Another migration is unfinished.",
        "A migration was interrupted (its process ended) or paused, and the database stands between its old and its new \
         schema. Finish it with MIGRATE RESUME or take it back with MIGRATE CANCEL before another is run.";
    NOT_RUNNING = "PQL0412", "The migration is not running.",
        "PAUSE, RESUME and CANCEL steer a migration that is running, paused or interrupted; this one is none of these. \
         MIGRATE STATUS says where it is in its life.";
    IRREVERSIBLE = "PQL0413", "The migration cannot be taken back.",
        "It has an operation without a way back, such as an EXECUTE without REVERT. Nothing was changed. Write the \
         opposite change as a new migration.";
    PURGED = "PQL0414", "What a rollback needs was given up.",
        "A rollback brings back the data that the migration replaced. MIGRATE PURGE, or the migration's retention, \
         removed that data to free its space, so the migration can no longer be rolled back, nor those before it.";
    JOURNAL_NEWER = "PQL0415", "The journal was written by a newer PQL.",
        "The journal's format is one that this program does not know. To use it could damage what the newer program \
         relies on, so nothing was read or changed. Use the newer program.";
    JOURNAL_DAMAGED = "PQL0416", "The journal does not say what it should.",
        "A row of the journal cannot be read or does not agree with its digest: it was edited or damaged. The \
         migration it belongs to is not run. Restore the journal's tables (they start with _pql_) from a backup.";
    READ_ONLY = "PQL0417", "The database cannot be written.",
        "The file, its directory or the server is read-only for this user. Reading statements work; those that change \
         something do not.";
    LEASE_LOST = "PQL0418", "Another runner has taken over.",
        "This runner was silent for longer than its lease lasts (it was stopped, or the machine slept), and another \
         has taken the lease since. The transaction that was about to commit was rolled back; the other runner goes \
         on from the last one that was committed.";
    UNEXPECTED_SCHEMA = "PQL0419", "The schema is not what the migration should have made.",
        "After the last step the database is read again and compared with the schema that the operations lead to. They \
         differ, so the migration was taken back rather than declared applied. Please report it with the message.";
    DRIFTED = "PQL0420", "The tables were changed by others.",
        "The migration's tables are no longer as it left them: somebody changed them without PQL. To take it back could \
         damage those changes, or to finish an interrupted run could, so nothing was done. MIGRATE VERIFY lists them; undo \
         them by hand and try again.";
    INVALID = "PQL0421", "The operations do not fit the schema.",
        "An operation names something that does not exist, or makes something that exists already, or cannot be done on \
         this database. Nothing was saved.";
    NO_RECORD = "PQL0422", "There is nothing to compare with.",
        "The journal has no schema of this database yet: no migration has been applied and no baseline was taken. \
         MIGRATE BASELINE records the schema as it is.";
    BASELINE_LATE = "PQL0423", "The database has a history already.",
        "A baseline takes a database that PQL has not changed before as version 1. This one has applied migrations, \
         so its schema is recorded already.";
    UNSUPPORTED = "PQL0424", "The database cannot do that.",
        "This database, or this version of it, has no way to do what the step needs; the message says what and why. \
         Nothing was changed. Another form of the statement may do the same: see the message's advice.";
    UNKNOWN_OBJECT = "PQL0425", "There is no table, view or index of that name.",
        "DESCRIBE without a name lists the tables and views.";
    UNBOUND = "PQL0426", "A parameter has no value.",
        "The statement uses @name and no value was given for that name. Bind it with -p NAME=VALUE, \\bind NAME VALUE in \
         the shell, or Session::bind.";
    STUCK = "PQL0427", "The migration could neither be finished nor taken back.",
        "An error stopped the run, and another one (or a step that has no way back) stops the way back. The database is \
         usable; what is done and what is not is in the journal. Remove the cause that the message names, then \
         MIGRATE RESUME to finish or MIGRATE CANCEL to take it back.";
    EMPTY = "PQL0428", "There is nothing to do.",
        "A migration needs at least one operation. The two schemas may be the same already.";
    PLAN_FORMAT = "PQL0429", "The interrupted run was planned by another version of PQL.",
        "The steps of a run that has begun are executed exactly as they were planned, and this program does not know \
         that plan's format. Finish the run with the version that started it.";
    QUESTION = "PQL0430", "The change can be read in two ways.",
        "A column or table is gone and a similar one has come: it may have been renamed, which keeps its data, or \
         dropped and another one added, which does not. PQL does not guess. Answer in the statement, or write RENAMED FROM \
         in the schema file.";
    TARGET = "PQL0431", "The wanted schema cannot be compared with the database.",
        "The application schema contradicts itself or the database: a foreign key to a table that it does not have, a \
         RENAMED FROM whose old and new names both exist, a column that a view outside it uses. Nothing was detected.";
    UNKNOWN_SCHEME = "PQL0432", "The database is of a kind that this program cannot open.",
        "Give a file (app.db or sqlite:app.db) or sqlite::memory: for a database in memory.";
    DATABASE = "PQL0440", "The database refused a statement.",
        "The message is the database's own. When it happened in a migration, the transaction was rolled back and what \
         the migration had done before was taken back.";
    CANNOT_OPEN = "PQL0441", "The database cannot be opened.",
        "The file or its directory does not exist, is a directory, or may not be read by this user.";
    NOT_A_DATABASE = "PQL0442", "The file is not a database.",
        "The file does not start as a SQLite database does: it is something else, or encrypted. It was not touched.";
    DISK_FULL = "PQL0443", "The disk is full.",
        "The transaction that did not fit was rolled back. Free some space, then resume the migration or let it be taken \
         back; MIGRATE PURGE gives up the data that finished migrations retain.";
    INPUT_OUTPUT = "PQL0444", "Reading or writing the database failed.",
        "The disk or its file system reported an error. The transaction was rolled back; look at the system's log \
         before going on.";
    CORRUPT = "PQL0445", "The database is damaged.",
        "SQLite found pages that contradict each other. Stop writing, and restore a backup or use the .recover command of the \
         sqlite3 shell.";
    CONSTRAINT = "PQL0446", "A constraint was violated.",
        "A statement would have broken a constraint of the table, so it was not done. The message names the constraint.";
    ROWS = "PQL0447", "Rows stand in the way.",
        "The change demands something of the rows that some of them do not fulfil: a NULL under NOT NULL, equal keys under \
         UNIQUE, a value that a conversion would lose. The message names them by key. Nothing was lost: correct them, or \
         say with BACKFILL or USING what they become, and try again.";
    TRANSACTION_OPEN = "PQL0448", "A transaction is open.",
        "A migration has transactions of its own and cannot run inside one that you have begun. COMMIT or ROLLBACK it \
         first; and leave BEGIN, COMMIT and their like out of an EXECUTE.";
    UNREADABLE = "PQL0449", "A stored definition, plan or cursor cannot be read.",
        "Something that was written earlier, by the database or by another version of PQL, is not understood. Nothing was \
         changed; please report it with the message.";
    VERIFY = "PQL0450", "Rows are not what they should be.",
        "Before new data takes the place of old, every row is compared. Some differ, so the migration was taken back. \
         An expression that gives another value each time is one cause; the message names the rows by key.";
    CONNECTION = "PQL0451", "The connection to the server was lost or refused.",
        "The server ended the connection, is starting or stopping, has no place for another one, or cannot be reached. \
         A migration waits and connects again for as long as retry_for allows; whether a COMMIT whose answer was lost \
         took effect is asked of the server, never assumed. After that it is interrupted: MIGRATE RESUME goes on.";
    TIMEOUT = "PQL0452", "A statement ran longer than was allowed.",
        "The setting statement_timeout limits every statement of a migration. Nothing was kept of the one that ran \
         into it. Allow more time, or 0 for no limit: what PQL runs for long keeps no reader or writer waiting.";
    PERMISSION = "PQL0453", "The role may not do that.",
        "PQL works with the rights of the role it connects as. To change a table that role must own it (or be a member \
         of the role that does); for PQL's own schema _pql it needs CREATE on the database. Nothing was changed.";
    RENUMBERED = "PQL0454", "Rows have other numbers than before.",
        "Rows of a SQLite table without a key of its own are remembered by the numbers that SQLite gives them. A text \
         dump leaves those out, so a database that was restored from one numbers them anew, and what was remembered \
         would be taken for that of other rows. The rows themselves are all right. MIGRATE PURGE gives up the way back; \
         copies made by .backup, VACUUM INTO or .dump --preserve-rowids keep it.";
    INJECTED = "PQL0499", "A failure that a test asked for.",
        "Raised only by programs built with the feature `testing` and told to fail by PQL_FAULT.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_ordered_and_explained() {
        assert!(ALL.windows(2).all(|pair| pair[0].code < pair[1].code));
        for info in ALL {
            assert!(info.title.ends_with('.') && info.explanation.len() > 40, "{}", info.code);
            assert_eq!(explain(&info.code.to_lowercase()), Some(info));
        }
        assert_eq!(explain("PQL9999"), None);
    }
}
