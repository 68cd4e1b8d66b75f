//! MIGRATE statements.

use super::{AstNode, Literal, Name, Operation, Param, SettingValue, child, children, has, nodes, tokens};
use crate::{SyntaxKind, SyntaxNode, SyntaxToken};

nodes! {
    /// `MIGRATE DETECT …`.
    Detect(migrate_detect);
    /// `MIGRATE GENERATE op, op, …`.
    Generate(migrate_generate);
    /// `MIGRATE GENERATE TO application_schema = …`.
    GenerateTo(migrate_generate_to);
    /// `MIGRATE PLAN …`, `EXPLAIN MIGRATE APPLY …`.
    Plan(migrate_plan);
    /// `MIGRATE APPLY …`.
    Apply(migrate_apply);
    /// `MIGRATE ROLLBACK …`.
    Rollback(migrate_rollback);
    /// `MIGRATE STATUS`.
    Status(migrate_status);
    /// `MIGRATE HISTORY`.
    History(migrate_history);
    /// `MIGRATE PAUSE …`.
    Pause(migrate_pause);
    /// `MIGRATE RESUME …`.
    Resume(migrate_resume);
    /// `MIGRATE CANCEL …`.
    Cancel(migrate_cancel);
    /// `MIGRATE PURGE …`.
    Purge(migrate_purge);
    /// `MIGRATE BASELINE`.
    Baseline(migrate_baseline);
    /// `MIGRATE VERIFY`.
    Verify(migrate_verify);

    /// `migration_id = …`.
    MigrationId(migration_id);
    /// `FROM schema_version = …`.
    FromVersion(from_version);
    /// `TO application_schema = …`.
    ToSchema(to_schema);
    /// A desired schema: a file, a text or a parameter.
    SchemaSource(schema_source);
    /// `AS 'name'`.
    AsName(as_name);
    /// `WITH name = value, …`.
    WithOptions(with_options);
    /// One `name = value` of WITH.
    WithOption(option);
    /// `LAST n`.
    RollbackLast(rollback_last);
    /// `TO VERSION v`.
    RollbackTo(rollback_to);
    /// `OLDER THAN '7 days'`.
    OlderThan(older_than);
}

/// A literal or a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operand {
    /// A literal's value.
    Literal(Literal),
    /// `@name`.
    Param(Param),
}

/// The first literal or parameter among a node's own tokens.
pub(super) fn operand(node: &SyntaxNode) -> Option<Operand> {
    tokens(node).find_map(operand_of)
}

/// The value of one token.
pub(super) fn operand_of(token: SyntaxToken) -> Option<Operand> {
    if token.kind() == SyntaxKind::uuid {
        return Some(Operand::Literal(Literal::String(token.text().to_owned())));
    }
    Literal::from_token(&token).map(Operand::Literal).or_else(|| Param::cast(token).map(Operand::Param))
}

macro_rules! parts {
    ($($type:ident { $($accessor:ident),* })*) => {$(impl $type { $(parts!(@$accessor);)* })*};
    (@migration_id) => {
        /// The migration it is about.
        pub fn migration_id(&self) -> Option<MigrationId> {
            child(self.syntax())
        }
    };
    (@from_version) => {
        /// The version to start from; now, if not given.
        pub fn from_version(&self) -> Option<FromVersion> {
            child(self.syntax())
        }
    };
    (@schema) => {
        /// The desired schema.
        pub fn schema(&self) -> Option<SchemaSource> {
            child::<ToSchema>(self.syntax()).and_then(|to| child(to.syntax()))
        }
    };
    (@as_name) => {
        /// The name to give.
        pub fn as_name(&self) -> Option<AsName> {
            child(self.syntax())
        }
    };
    (@options) => {
        /// The options of WITH.
        pub fn options(&self) -> Vec<WithOption> {
            child::<WithOptions>(self.syntax()).map(|with| children(with.syntax()).collect()).unwrap_or_default()
        }
    };
}

parts! {
    Detect { from_version, schema, options }
    Generate { as_name, options }
    GenerateTo { from_version, schema, as_name, options }
    Plan { migration_id, options }
    Apply { migration_id, options }
    Rollback { migration_id, options }
    Status { migration_id }
    History { migration_id }
    Pause { migration_id }
    Resume { migration_id, options }
    Cancel { migration_id }
    Purge { migration_id, options }
    Baseline { as_name, options }
    Verify { options }
}

impl Generate {
    /// The operations in order.
    pub fn operations(&self) -> impl Iterator<Item = Operation> + use<> {
        children(self.syntax())
    }
}

impl Plan {
    /// Written `EXPLAIN MIGRATE APPLY`.
    pub fn is_explain(&self) -> bool {
        has(self.syntax(), SyntaxKind::kw_explain)
    }
}

/// What to undo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RollbackTarget {
    /// One migration.
    Migration(MigrationId),
    /// The last n that were applied.
    Last(RollbackLast),
    /// Everything after a version.
    Version(RollbackTo),
}

impl Rollback {
    /// What to undo.
    pub fn target(&self) -> Option<RollbackTarget> {
        let node = self.syntax();
        child(node)
            .map(RollbackTarget::Migration)
            .or_else(|| child(node).map(RollbackTarget::Last))
            .or_else(|| child(node).map(RollbackTarget::Version))
    }
}

impl Purge {
    /// `OLDER THAN …`.
    pub fn older_than(&self) -> Option<OlderThan> {
        child(self.syntax())
    }
}

macro_rules! operands {
    ($($type:ident),*) => {$(
        impl $type {
            /// The value given.
            pub fn value(&self) -> Option<Operand> {
                operand(self.syntax())
            }
        }
    )*};
}

operands!(MigrationId, FromVersion, AsName, RollbackLast, RollbackTo, OlderThan);

impl SchemaSource {
    /// The path, the schema's text, or the parameter bound to either.
    pub fn value(&self) -> Option<Operand> {
        operand(self.syntax())
    }

    /// Written with FILE: the value is a path.
    pub fn is_file(&self) -> bool {
        has(self.syntax(), SyntaxKind::kw_file)
    }
}

impl WithOption {
    /// The option's name.
    pub fn name(&self) -> Option<Name> {
        Name::of(self.syntax())
    }

    /// Its value.
    pub fn value(&self) -> Option<SettingValue> {
        child(self.syntax())
    }
}
