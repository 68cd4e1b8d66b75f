//! SET, RESET and SHOW.

use pql_engine::Value;
use pql_planner::Dialect;
use pql_syntax::ast::{self, AstNode, Name};

use super::{Interpreter, kind};
use crate::error::Error;
use crate::job::Line;
use crate::output::{Answer, Output, ResultSet};
use crate::settings::{SETTINGS, Setting, Settings};
use crate::{Given, codes};

impl Interpreter {
    pub(super) fn set(&mut self, set: &ast::Set, line: &Line) -> Result<Output, Error> {
        let name = set.name().expect("the grammar demands a name");
        let mut output = Output::new(kind(&ast::Statement::Set(set.clone())), Answer::Done);
        let Some(setting) = self.setting(&name)? else {
            output.answer = self.run_sql(&set.text(), &[])?;
            return Ok(output);
        };
        match self.given(set.value().as_ref())? {
            None => setting.reset(&mut self.settings),
            Some(given) => {
                let span = set.value().map_or(set.span(), |value| value.span());
                let given = self.rooted(given, setting)?;
                setting.set(&mut self.settings, &given).map_err(|error| error.at(span))?;
            }
        }
        if matches!(setting.name, "auto_migrate" | "application_schema") && self.migrates_itself() {
            let outcome = self.auto_migrate(line)?;
            output.answer = outcome.answer;
            output.warnings = outcome.warnings;
        }
        Ok(output)
    }

    /// An application schema given as text is looked at now: what is wrong with it belongs to this statement.
    fn rooted(&mut self, given: Given, setting: &Setting) -> Result<Given, Error> {
        if setting.name == "application_schema" {
            let schema = match &given {
                Given::Schema(schema) => Some(schema.clone()),
                Given::Value(Value::Text(text)) => Some(crate::ApplicationSchema::text(text.clone())),
                Given::Value(_) => None,
            };
            if let Some(schema) = schema {
                self.lower_schema(&schema)?;
            }
        }
        Ok(given)
    }

    pub(super) fn reset(&mut self, reset: &ast::Reset) -> Result<Answer, Error> {
        let Some(name) = reset.name() else {
            self.settings = Settings::default();
            return Ok(Answer::Done);
        };
        match self.setting(&name)? {
            Some(setting) => setting.reset(&mut self.settings),
            None => return self.run_sql(&reset.text(), &[]),
        }
        Ok(Answer::Done)
    }

    pub(super) fn show(&mut self, show: &ast::Show) -> Result<Answer, Error> {
        if show.is_all() {
            let mut rows = ResultSet::with_columns(&["name", "value", "default", "description"]);
            let defaults = Settings::default();
            for setting in SETTINGS {
                rows.push(vec![
                    setting.name.into(),
                    setting.get(&self.settings),
                    setting.get(&defaults),
                    setting.doc.into(),
                ]);
            }
            return Ok(Answer::Rows(rows));
        }
        let name = show.name().expect("the grammar demands a name or ALL");
        let Some(setting) = self.setting(&name)? else { return self.run_sql(&show.text(), &[]) };
        let mut rows = ResultSet::with_columns(&["name", "value"]);
        rows.push(vec![setting.name.into(), setting.get(&self.settings)]);
        Ok(Answer::Rows(rows))
    }

    /// The setting of that name; `None` for one that is the server's own.
    fn setting(&mut self, name: &Name) -> Result<Option<&'static Setting>, Error> {
        match Setting::named(&name.text()) {
            Ok(setting) => Ok(Some(setting)),
            Err(error) if self.url.is_some() && self.dialect()? == Dialect::Postgres => {
                // A slip in one of ours must not become a setting of the server's that is not there.
                if error.help().is_some_and(|help| help.starts_with("did you mean")) {
                    return Err(error.at(name.span()));
                }
                Ok(None)
            }
            Err(error) => {
                debug_assert_eq!(error.code(), codes::UNKNOWN_SETTING);
                Err(error.at(name.span()))
            }
        }
    }
}
