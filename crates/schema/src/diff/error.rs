//! Why two schemas cannot be compared.

use super::Rename;
use crate::{ApplyError, ObjectRef};

/// Why there are no operations that take one schema to the other.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DiffError {
    /// A declared rename whose old and new names are both in the database, and only the new one in the target.
    #[error("{rename} is declared as renamed, but the database has both")]
    RenameBothExist {
        /// The declaration.
        rename: Box<Rename>,
    },
    /// A declared rename whose names are both unknown to the database.
    #[error("{rename} is declared as renamed, but the database has neither")]
    RenameNeitherExists {
        /// The declaration.
        rename: Box<Rename>,
        /// What the old name may be meant to be.
        near: Vec<String>,
    },
    /// A declared rename to something that the target does not have.
    #[error("{rename} is declared as renamed, but the target does not have that")]
    RenameOutsideTarget {
        /// The declaration.
        rename: Box<Rename>,
    },
    /// Two renames, declared or answered, of which only one can be true.
    #[error("{first} and {second} cannot both be true")]
    RenamesExcludeEachOther {
        /// The one.
        first: Box<Rename>,
        /// The other.
        second: Box<Rename>,
    },
    /// The target contradicts itself.
    #[error("the target schema is not consistent: {0}")]
    Target(#[source] Box<ApplyError>),
    /// Something that the target does not have is used by views or triggers, about which the target says nothing.
    #[error("{what} is not in the target, but is used by {}", by.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    UsedElsewhere {
        /// What would go.
        what: Box<ObjectRef>,
        /// By what it is used.
        by: Vec<ObjectRef>,
    },
}

impl DiffError {
    /// The way out.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::RenameBothExist { .. } => {
                "remove the RENAMED FROM, or drop one of the two by a migration of its own first".to_owned()
            }
            Self::RenameNeitherExists { near, .. } if !near.is_empty() => {
                format!("did you mean `{}`?", near.join("` or `"))
            }
            Self::RenameNeitherExists { .. } | Self::RenameOutsideTarget { .. } => {
                "correct the names of the RENAMED FROM, or remove it".to_owned()
            }
            Self::RenamesExcludeEachOther { .. } => "keep the one that is true".to_owned(),
            Self::Target(error) => return error.help(),
            Self::UsedElsewhere { .. } => {
                "list the views and triggers in the target schema as they should be, or drop these first"
                    .to_owned()
            }
        })
    }
}

impl From<ApplyError> for DiffError {
    fn from(error: ApplyError) -> Self {
        Self::Target(Box::new(error))
    }
}
