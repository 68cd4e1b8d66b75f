//! Every kind of statement.

use super::{
    AlterTable, Apply, Baseline, Cancel, CreateIndex, CreateTable, CreateView, Describe, Detect, DropIndex,
    DropTable, DropView, Error, Generate, GenerateTo, History, MetaLine, PassThrough, Pause, Plan, Purge,
    Reset, Resume, Rollback, Set, Show, Status, Verify, choice,
};

choice! {
    /// A statement.
    Statement {
        /// `SET name = value`.
        Set(Set),
        /// `RESET name`.
        Reset(Reset),
        /// `SHOW name`.
        Show(Show),
        /// `MIGRATE DETECT`.
        Detect(Detect),
        /// `MIGRATE GENERATE` with operations.
        Generate(Generate),
        /// `MIGRATE GENERATE TO`.
        GenerateTo(GenerateTo),
        /// `MIGRATE PLAN`.
        Plan(Plan),
        /// `MIGRATE APPLY`.
        Apply(Apply),
        /// `MIGRATE ROLLBACK`.
        Rollback(Rollback),
        /// `MIGRATE STATUS`.
        Status(Status),
        /// `MIGRATE HISTORY`.
        History(History),
        /// `MIGRATE PAUSE`.
        Pause(Pause),
        /// `MIGRATE RESUME`.
        Resume(Resume),
        /// `MIGRATE CANCEL`.
        Cancel(Cancel),
        /// `MIGRATE PURGE`.
        Purge(Purge),
        /// `MIGRATE BASELINE`.
        Baseline(Baseline),
        /// `MIGRATE VERIFY`.
        Verify(Verify),
        /// `ALTER TABLE`.
        AlterTable(AlterTable),
        /// `CREATE TABLE`.
        CreateTable(CreateTable),
        /// `DROP TABLE`.
        DropTable(DropTable),
        /// `CREATE INDEX`.
        CreateIndex(CreateIndex),
        /// `DROP INDEX`.
        DropIndex(DropIndex),
        /// `CREATE VIEW`.
        CreateView(CreateView),
        /// `DROP VIEW`.
        DropView(DropView),
        /// `DESCRIBE`.
        Describe(Describe),
        /// Any other SQL.
        PassThrough(PassThrough),
        /// A line of psql's.
        Meta(MetaLine),
        /// A statement that did not parse.
        Error(Error),
    }
}
