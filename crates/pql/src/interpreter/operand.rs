//! Literals and parameters to values.

use std::ops::Range;

use pql_engine::Value;
use pql_engine::backend::LockPatience;
use pql_schema::MigrationId;
use pql_syntax::ast::{self, AstNode, Literal, MigrationId as IdClause, Operand, WithOption};
use pql_syntax::suggest::nearest;

use super::{Interpreter, number};
use crate::codes;
use crate::error::Error;
use crate::params::Param;
use crate::settings::{Given, Setting, Settings};

/// The settings of one statement and the answers to questions, from its WITH.
pub(super) struct Options {
    pub(super) settings: Settings,
    pub(super) answers: pql_schema::Answers,
}

impl Interpreter {
    /// What `@name` stands for.
    pub(super) fn param(&mut self, name: &str, span: Range<usize>) -> Result<Param, Error> {
        if let Some(param) = self.params.get(name) {
            return Ok(param.clone());
        }
        match name {
            "migration_id" => {
                if let Some(id) = self.last_migration {
                    return Ok(id.into());
                }
            }
            "current_version" => return Ok(Param::Value(number(self.engine()?.version()?))),
            _ => {}
        }
        let known = self.params.keys().map(String::as_str).chain(["migration_id", "current_version"]);
        let help = match (name, nearest(name, known)) {
            ("migration_id", _) => {
                "this session has generated no migration yet; MIGRATE STATUS lists those that there are"
                    .to_owned()
            }
            (_, Some(near)) => format!("did you mean `@{near}`?"),
            (_, None) => {
                format!("bind it with `-p {name}=…`, `\\bind {name} …` in the shell, or Session::bind")
            }
        };
        Err(Error::new(codes::UNBOUND_PARAMETER, format!("`@{name}` has no value")).with_help(help).at(span))
    }

    /// The value of a literal or a parameter; a schema is no value.
    pub(super) fn operand(&mut self, operand: Option<&Operand>, span: Range<usize>) -> Result<Value, Error> {
        match operand {
            Some(Operand::Literal(literal)) => Ok(literal_value(literal)),
            Some(Operand::Param(param)) => match self.param(param.name(), param.span())? {
                Param::Value(value) => Ok(value),
                Param::Schema(_) => Err(Error::new(
                    codes::PARAMETER_VALUE,
                    format!("`@{}` is a schema, not a value", param.name()),
                )
                .at(param.span())),
            },
            None => Err(bad_literal(span)),
        }
    }

    /// The migration that a clause names: by its id, the beginning of it, or its name.
    pub(super) fn migration(&mut self, clause: Option<&IdClause>) -> Result<MigrationId, Error> {
        let clause = clause.expect("the grammar demands the clause");
        let text = match self.operand(clause.value().as_ref(), clause.span())? {
            Value::Text(text) => text,
            other => return Err(wrong_value("a migration id is a text", &other, clause.span())),
        };
        self.engine()?.find(&text).map_err(|error| Error::from(error).at(clause.span()))
    }

    /// A whole number that is not negative.
    pub(super) fn count(&mut self, operand: Option<&Operand>, span: Range<usize>) -> Result<u64, Error> {
        let value = self.operand(operand, span.clone())?;
        let number = match &value {
            Value::Integer(number) => u64::try_from(*number).ok(),
            Value::Text(text) => text.trim().parse().ok(),
            _ => None,
        };
        number.ok_or_else(|| wrong_value("a whole number that is not negative is needed here", &value, span))
    }

    /// A text.
    pub(super) fn text(&mut self, operand: Option<&Operand>, span: Range<usize>) -> Result<String, Error> {
        match self.operand(operand, span.clone())? {
            Value::Text(text) => Ok(text),
            other => Err(wrong_value("a text is needed here", &other, span)),
        }
    }

    /// What a setting or an option is set to; `None` for DEFAULT.
    pub(super) fn given(&mut self, value: Option<&ast::SettingValue>) -> Result<Option<Given>, Error> {
        let clause = value.expect("the grammar demands a value");
        let span = clause.span();
        let value = match clause.value().ok_or_else(|| bad_literal(span.clone()))? {
            ast::Value::Literal(literal) => Given::Value(literal_value(&literal)),
            ast::Value::Word(word) => Given::Value(Value::Text(word.text())),
            ast::Value::Default => return Ok(None),
            ast::Value::Param(param) => match self.param(param.name(), param.span())? {
                Param::Value(value) => Given::Value(value),
                Param::Schema(schema) => Given::Schema(schema),
            },
            ast::Value::File(literal) => Given::Schema(file(literal_value(&literal), span)?),
            ast::Value::FileParam(param) => {
                let path = self.operand(Some(&Operand::Param(param)), span.clone())?;
                Given::Schema(file(path, span)?)
            }
        };
        Ok(Some(value))
    }

    /// The session's settings with what WITH says for this statement.
    pub(super) fn options(&mut self, options: Vec<WithOption>) -> Result<Options, Error> {
        let answers = pql_schema::Answers { by_id: self.answers.clone(), ..pql_schema::Answers::default() };
        let mut all = Options { settings: self.settings.clone(), answers };
        for option in options {
            let name = option.name().map(|name| name.text()).unwrap_or_default();
            let span = option.span();
            let given = self.given(option.value().as_ref())?;
            if let Some(id) = name.strip_prefix(QUESTION) {
                let yes = match given {
                    Some(Given::Value(Value::Boolean(yes))) => yes,
                    Some(Given::Value(Value::Text(word))) if word.eq_ignore_ascii_case("yes") => true,
                    Some(Given::Value(Value::Text(word))) if word.eq_ignore_ascii_case("no") => false,
                    _ => {
                        return Err(Error::new(
                            codes::SETTING_VALUE,
                            format!("`{name}` is answered with true or false"),
                        )
                        .at(span));
                    }
                };
                all.answers.by_id.insert(format!("{QUESTION}{id}"), yes);
                continue;
            }
            let setting = Setting::named(&name).map_err(|error| error.at(span.clone()))?;
            match given {
                Some(given) => setting.set(&mut all.settings, &given).map_err(|error| error.at(span))?,
                None => setting.reset(&mut all.settings),
            }
        }
        self.own_patience = Some(LockPatience::from(&all.settings.apply_options().run));
        Ok(all)
    }
}

/// How the names of the options begin that answer a question.
const QUESTION: &str = "rename_";

/// A literal's value.
pub(super) fn literal_value(literal: &Literal) -> Value {
    match literal {
        Literal::String(text) | Literal::Bits(text) => Value::Text(text.clone()),
        Literal::Bytes(bytes) => Value::Blob(bytes.clone()),
        Literal::Number(digits) => digits
            .parse()
            .map(Value::Integer)
            .or_else(|_| digits.parse().map(Value::Real))
            .unwrap_or_else(|_| Value::Text(digits.clone())),
        Literal::Boolean(value) => Value::Boolean(*value),
        Literal::Null => Value::Null,
    }
}

/// A value as the literal that the planner writes into SQL.
pub(super) fn value_literal(value: &Value) -> Literal {
    match value {
        Value::Null => Literal::Null,
        Value::Boolean(value) => Literal::Boolean(*value),
        Value::Integer(number) => Literal::Number(number.to_string()),
        Value::Real(number) => Literal::Number(format!("{number:?}")),
        Value::Text(text) => Literal::String(text.clone()),
        Value::Blob(bytes) => Literal::Bytes(bytes.clone()),
    }
}

fn file(path: Value, span: Range<usize>) -> Result<crate::ApplicationSchema, Error> {
    match path {
        Value::Text(path) => Ok(crate::ApplicationSchema::file(path)),
        other => Err(wrong_value("FILE takes a path", &other, span)),
    }
}

pub(super) fn bad_literal(span: Range<usize>) -> Error {
    Error::new(codes::BAD_LITERAL, "the text inside this literal is malformed").at(span)
}

pub(super) fn wrong_value(what: &str, value: &Value, span: Range<usize>) -> Error {
    let found = match value {
        Value::Null => "NULL".to_owned(),
        value => format!("`{}`", crate::output::value_text(value)),
    };
    Error::new(codes::PARAMETER_VALUE, format!("{what}, not {found}")).at(span)
}
