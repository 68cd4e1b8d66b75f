//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// The forms of a database's name, for the help.
const DATABASE_HELP: &str =
    "app.db, sqlite:app.db, sqlite::memory:, postgres://user@host/db [env: PQL_DATABASE; pql.toml: database]";

/// Online schema changes for SQLite and PostgreSQL.
#[derive(Debug, Parser)]
#[command(
    name = "pql",
    version,
    args_conflicts_with_subcommands = false,
    subcommand_precedence_over_arg = true
)]
#[command(
    after_help = "Exit codes: 0 done, 1 a statement failed, 2 wrong usage, 3 a check found a difference.\n\
    Without a command or a file: a shell on a terminal, otherwise a script from standard input."
)]
pub(crate) struct Cli {
    /// The database; the environment variable `PQL_DATABASE` and `database` in pql.toml name one too
    #[arg(value_name = "DATABASE", help = DATABASE_HELP)]
    pub(crate) database: Option<String>,

    /// Run PQL and exit (repeatable)
    #[arg(short = 'c', long = "command", value_name = "PQL")]
    pub(crate) commands: Vec<String>,

    /// Run a script and exit (repeatable; - is standard input)
    #[arg(short = 'f', long = "file", value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    #[command(flatten)]
    pub(crate) common: Common,

    #[command(subcommand)]
    pub(crate) action: Option<Action>,
}

/// Options that every command takes.
#[derive(Debug, Clone, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub(crate) struct Common {
    /// Bind @NAME (a value starting with @ is read from that file)
    #[arg(short = 'p', long = "param", value_name = "NAME=VALUE", global = true)]
    pub(crate) params: Vec<String>,

    /// A session setting
    #[arg(long = "set", value_name = "NAME=VALUE", global = true)]
    pub(crate) settings: Vec<String>,

    /// How results are printed
    #[arg(long, value_enum, value_name = "FORMAT", global = true)]
    pub(crate) output: Option<Format>,

    /// Answer prompts with yes
    #[arg(short = 'y', long, global = true)]
    pub(crate) yes: bool,

    /// Results only: no progress, no warnings
    #[arg(short = 'q', long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,

    /// Say more
    #[arg(short = 'v', long, global = true)]
    pub(crate) verbose: bool,

    /// An environment of pql.toml
    #[arg(long, value_name = "NAME", global = true)]
    pub(crate) env: Option<String>,

    /// A database; several times: the same command on each
    #[arg(long = "database", value_name = "DATABASE", global = true)]
    pub(crate) databases: Vec<String>,

    /// The same command on each database that FILE lists, one a line
    #[arg(long = "databases", value_name = "FILE", global = true)]
    pub(crate) databases_file: Option<PathBuf>,

    /// How many databases at once
    #[arg(long, value_name = "N", default_value_t = 4, global = true)]
    pub(crate) at_once: usize,

    /// Go on with the other databases when one fails
    #[arg(long, global = true)]
    pub(crate) carry_on: bool,
}

/// The forms of output. Which of them a command knows is its own affair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A table for people
    Table,
    /// One JSON object a line
    Json,
    /// Comma-separated values
    Csv,
    /// PQL text (schema)
    Pql,
    /// The database's own DDL (schema)
    Sql,
    /// A Mermaid diagram (schema)
    Mermaid,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Migration files: create, apply, roll back
    Migrate(Migrate),
    /// What separates the database from a schema file
    Detect {
        /// PQL definitions, or the JSON that `pql schema --output json` prints
        #[arg(value_name = "SCHEMA_FILE")]
        schema: PathBuf,
        /// Exit with 3 if anything does
        #[arg(long)]
        check: bool,
        #[command(flatten)]
        answers: Answers,
        #[command(flatten)]
        target: Target,
    },
    /// The database's schema as a schema file or as a diagram
    Schema {
        #[command(flatten)]
        target: Target,
    },
    /// Format PQL files
    Fmt {
        /// Change nothing; exit with 3 if a file is not formatted
        #[arg(long)]
        check: bool,
        /// Files; - is standard input
        #[arg(required = true, value_name = "FILES")]
        files: Vec<PathBuf>,
    },
    /// Check that PQL files parse
    Check {
        /// Files; - is standard input
        #[arg(required = true, value_name = "FILES")]
        files: Vec<PathBuf>,
    },
    /// Explain an error code
    Explain {
        /// Such as PQL0101; without one, all of them in a line each
        code: Option<String>,
    },
    /// Show what online means, on a database made for it
    Demo {
        /// Rows of the database
        #[arg(long, default_value_t = 200_000)]
        rows: u64,
    },
    /// Print a completion script
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// The database, where it may also be named after the command.
#[derive(Debug, Clone, Args)]
pub(crate) struct Target {
    /// The database
    #[arg(value_name = "DATABASE")]
    pub(crate) target: Option<String>,
}

/// Answers to questions about renames.
#[derive(Debug, Clone, Args)]
pub(crate) struct Answers {
    /// Answer a question about a rename (repeatable)
    #[arg(long = "answer", value_name = "ID=yes|no", value_parser = answer)]
    pub(crate) answers: Vec<(String, bool)>,
}

fn answer(text: &str) -> Result<(String, bool), String> {
    match text.split_once('=') {
        Some((id, "yes" | "true")) if id.starts_with("rename_") => Ok((id.to_owned(), true)),
        Some((id, "no" | "false")) if id.starts_with("rename_") => Ok((id.to_owned(), false)),
        _ => Err("say it like rename_1=yes or rename_1=no".to_owned()),
    }
}

#[derive(Debug, Args)]
pub(crate) struct Migrate {
    /// Where the files are [default: migrations, or `migrations_dir` of pql.toml]
    #[arg(long, value_name = "DIR", global = true)]
    pub(crate) dir: Option<PathBuf>,

    /// Say what would be done, and do nothing
    #[arg(long, global = true)]
    pub(crate) dry_run: bool,

    /// How long one attempt may queue for a lock
    #[arg(long, value_name = "SECONDS", global = true)]
    pub(crate) lock_timeout: Option<u64>,

    #[command(subcommand)]
    pub(crate) action: MigrateAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum MigrateAction {
    /// Make the next pair of files
    Create {
        /// What it does, in words
        name: String,
        /// Fill the files with what separates the database from a schema file
        #[arg(long, value_name = "SCHEMA_FILE")]
        from: Option<PathBuf>,
        #[command(flatten)]
        answers: Answers,
        #[command(flatten)]
        target: Target,
    },
    /// Apply what is pending
    Up {
        /// Up to this number
        #[arg(long, value_name = "NUMBER")]
        to: Option<u64>,
        #[command(flatten)]
        allow: Allow,
        #[command(flatten)]
        target: Target,
    },
    /// Roll back the newest
    Down {
        /// How many
        #[arg(long, value_name = "N", default_value_t = 1)]
        count: usize,
        #[command(flatten)]
        target: Target,
    },
    /// List the files and where they are in their lives
    Status {
        #[command(flatten)]
        target: Target,
    },
    /// Show the steps that `up` would run
    Plan {
        /// Up to this number
        #[arg(long, value_name = "NUMBER")]
        to: Option<u64>,
        #[command(flatten)]
        allow: Allow,
        #[command(flatten)]
        target: Target,
    },
    /// Compare the database with what the journal says it should be
    Verify {
        #[command(flatten)]
        target: Target,
    },
    /// Take an existing database as version 1 without changing it
    Baseline {
        /// Its name
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        #[command(flatten)]
        target: Target,
    },
    /// Every state change with its time, actor and reason
    History {
        #[command(flatten)]
        target: Target,
    },
    /// Give up the retained data that makes a rollback possible
    Purge {
        /// Only of migrations applied longer ago, such as '7 days'
        #[arg(long, value_name = "DURATION")]
        older_than: Option<String>,
        #[command(flatten)]
        target: Target,
    },
    /// Accept the files as they are now for what is applied
    Repair {
        #[command(flatten)]
        target: Target,
    },
}

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Allow {
    /// Accept operations that lose data
    #[arg(long)]
    pub(crate) allow_destructive: bool,
    /// Accept files older than the newest applied one
    #[arg(long)]
    pub(crate) allow_out_of_order: bool,
}

impl Migrate {
    /// Whether it only looks at the database, or finds nothing to do in one that does not exist.
    pub(crate) fn looks(&self) -> bool {
        match self.action {
            MigrateAction::Up { .. } => self.dry_run,
            MigrateAction::Create { ref from, .. } => from.is_some(),
            MigrateAction::Down { .. }
            | MigrateAction::Status { .. }
            | MigrateAction::Plan { .. }
            | MigrateAction::Repair { .. } => true,
            MigrateAction::Verify { .. }
            | MigrateAction::Baseline { .. }
            | MigrateAction::History { .. }
            | MigrateAction::Purge { .. } => false,
        }
    }

    /// Whether it is about files that are there.
    pub(crate) fn reads_files(&self) -> bool {
        matches!(
            self.action,
            MigrateAction::Up { .. }
                | MigrateAction::Down { .. }
                | MigrateAction::Status { .. }
                | MigrateAction::Plan { .. }
                | MigrateAction::Repair { .. }
        )
    }
}

impl MigrateAction {
    /// The database named after the command.
    pub(crate) fn target(&self) -> Option<&str> {
        match self {
            Self::Create { target, .. }
            | Self::Up { target, .. }
            | Self::Down { target, .. }
            | Self::Status { target }
            | Self::Plan { target, .. }
            | Self::Verify { target }
            | Self::Baseline { target, .. }
            | Self::History { target }
            | Self::Purge { target, .. }
            | Self::Repair { target } => target.target.as_deref(),
        }
    }
}
