//! Typed calls beside the statements: the same work without text.

use pql_engine::{Event, MigrationInfo, Report, RollbackTarget, Silent};
use pql_schema::{Answers, Migration, MigrationId, MigrationOp, MigrationStrategy};

use crate::error::Error;
use crate::interpreter::{Absent, Interpreter};
use crate::session::Session;
use crate::{ApplicationSchema, Change};

/// Detects, generates, applies and rolls back.
///
/// ```no_run
/// # use pql::{MigrationStrategy, Session};
/// # async fn example() -> Result<(), pql::Error> {
/// let mut session = Session::open("sqlite:app.db").await?;
/// let mut migrator = session.migrator();
/// let changes = migrator.detect_changes("CREATE TABLE users (id INTEGER PRIMARY KEY);").await?;
/// let migration = migrator.generate_migration(changes).await?;
/// let report = migrator.apply_migration(&migration, MigrationStrategy::Online).await?;
/// assert_eq!(report.migration_id, migration.id);
/// migrator.rollback_migration(migration.id).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct SchemaMigrator<'s> {
    session: &'s mut Session,
}

impl<'s> SchemaMigrator<'s> {
    pub(crate) fn new(session: &'s mut Session) -> Self {
        Self { session }
    }

    /// The operations that take the database to a schema, in the order in which they would run.
    pub async fn detect_changes(
        &mut self,
        target: impl Into<ApplicationSchema>,
    ) -> Result<Vec<MigrationOp>, Error> {
        Ok(self.describe_changes(target).await?.into_iter().map(|change| change.op).collect())
    }

    /// The same, with what there is to know about each.
    pub async fn describe_changes(
        &mut self,
        target: impl Into<ApplicationSchema>,
    ) -> Result<Vec<Change>, Error> {
        let target = target.into();
        self.call(move |interpreter| {
            let lowered = interpreter.lower_schema(&target)?;
            interpreter.changes(&lowered, None, &Answers::default())
        })
        .await
    }

    /// Saves operations as a migration, which is not applied yet.
    pub async fn generate_migration(&mut self, operations: Vec<MigrationOp>) -> Result<Migration, Error> {
        self.call(move |interpreter| interpreter.remember(operations, None)).await
    }

    /// Runs a migration.
    pub async fn apply_migration(
        &mut self,
        migration: &Migration,
        strategy: MigrationStrategy,
    ) -> Result<Report, Error> {
        let id = migration.id;
        self.call(move |interpreter| {
            let mut options = interpreter.settings.apply_options();
            options.strategy = strategy;
            Ok(interpreter.engine_for(&options)?.apply(id, &options, &mut Silent)?)
        })
        .await
    }

    /// Undoes an applied migration, with its data.
    pub async fn rollback_migration(&mut self, id: MigrationId) -> Result<Vec<Report>, Error> {
        self.call(move |interpreter| {
            let options = interpreter.settings.apply_options();
            Ok(interpreter.engine_for(&options)?.rollback(
                RollbackTarget::Migration(id),
                &options,
                &mut Silent,
            )?)
        })
        .await
    }

    /// The journal of the database.
    pub fn log(&mut self) -> MigrationLog<'_> {
        MigrationLog { session: self.session }
    }

    async fn call<T: Send + 'static>(
        &self,
        task: impl FnOnce(&mut Interpreter) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.session.worker().call(task).await
    }
}

/// The database's journal of migrations.
#[derive(Debug)]
pub struct MigrationLog<'s> {
    session: &'s mut Session,
}

impl MigrationLog<'_> {
    /// Saves operations as a migration under a name.
    pub async fn save(&mut self, name: &str, operations: Vec<MigrationOp>) -> Result<Migration, Error> {
        let name = name.to_owned();
        self.call(move |interpreter| interpreter.remember(operations, Some(&name))).await
    }

    /// The migration of that id.
    pub async fn get(&mut self, id: MigrationId) -> Result<Migration, Error> {
        self.look(move |interpreter| Ok(interpreter.engine()?.migration(id)?)).await
    }

    /// The migration that a text names: by its id, the beginning of it, or its name.
    pub async fn find(&mut self, text: &str) -> Result<MigrationId, Error> {
        let text = text.to_owned();
        self.look(move |interpreter| Ok(interpreter.engine()?.find(&text)?)).await
    }

    /// Every migration with its state, oldest first.
    pub async fn all(&mut self) -> Result<Vec<MigrationInfo>, Error> {
        self.look(|interpreter| Ok(interpreter.engine()?.status()?)).await
    }

    /// Every state change, oldest first.
    pub async fn history(&mut self) -> Result<Vec<Event>, Error> {
        self.look(|interpreter| Ok(interpreter.engine()?.history()?)).await
    }

    /// Records that a migration has been done by other means. Refused unless the database is as it would have left it;
    /// as nothing was retained, it cannot be rolled back.
    pub async fn mark_applied(&mut self, id: MigrationId) -> Result<Migration, Error> {
        self.call(move |interpreter| Ok(interpreter.engine()?.mark_applied(id)?)).await
    }

    async fn look<T: Send + 'static>(
        &self,
        task: impl FnOnce(&mut Interpreter) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.call(move |interpreter| interpreter.looking(Absent::Wrong, task)).await
    }

    async fn call<T: Send + 'static>(
        &self,
        task: impl FnOnce(&mut Interpreter) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.session.worker().call(task).await
    }
}
