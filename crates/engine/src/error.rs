//! The engine's one error type.

use std::fmt;

/// The result of anything that can fail here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, for people and for programs. Opaque but for what callers need to decide.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    code: &'static str,
    message: String,
    help: Option<String>,
    retryable: bool,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error with its stable code and a message in the user's words.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { code, message: message.into(), help: None, retryable: false, source: None }))
    }

    /// Adds what to do next.
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// Adds the cause.
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Marks it as one that may go away by trying again (a lock, a lost connection).
    pub fn retryable(mut self) -> Self {
        self.0.retryable = true;
        self
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// The message, without the code.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What to do next.
    pub fn help(&self) -> Option<&str> {
        self.0.help.as_deref()
    }

    /// Whether the same attempt may succeed later.
    pub fn is_retryable(&self) -> bool {
        self.0.retryable
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

/// The codes by which the runner and its callers recognise what happened.
pub mod codes {
    /// The run was paused.
    pub const PAUSED: &str = "PQL0401";
    /// The run was cancelled.
    pub const CANCELLED: &str = "PQL0402";
    /// Another runner holds the lease.
    pub const LEASE: &str = "PQL0403";
    /// A lock could not be had in time.
    pub const LOCKED: &str = "PQL0404";
    /// The tables have changed since the plan was made.
    pub const MOVED: &str = "PQL0410";
    /// The database cannot be written.
    pub const READ_ONLY: &str = "PQL0417";
    /// The database cannot do that.
    pub const UNSUPPORTED: &str = "PQL0424";
    /// The database refused a statement.
    pub const DATABASE: &str = "PQL0440";
    /// The file cannot be opened.
    pub const CANNOT_OPEN: &str = "PQL0441";
    /// The file is not a database.
    pub const NOT_A_DATABASE: &str = "PQL0442";
    /// The disk is full.
    pub const DISK_FULL: &str = "PQL0443";
    /// Reading or writing failed.
    pub const INPUT_OUTPUT: &str = "PQL0444";
    /// The database is damaged.
    pub const CORRUPT: &str = "PQL0445";
    /// A constraint was violated.
    pub const CONSTRAINT: &str = "PQL0446";
    /// Rows stand in the way.
    pub const ROWS: &str = "PQL0447";
    /// A transaction is open.
    pub const TRANSACTION_OPEN: &str = "PQL0448";
    /// A stored definition, plan or cursor cannot be read.
    pub const UNREADABLE: &str = "PQL0449";
    /// Rows are not what they should be.
    pub const VERIFY: &str = "PQL0450";
}
