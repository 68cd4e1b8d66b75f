//! What a database should become: application schemas, lowered for the database that is connected.

use pql_engine::{Change, Value};
use pql_planner::lower::{self, LoweredSchema};
use pql_schema::Answers;
use pql_syntax::ast::{AstNode, SchemaSource};

use super::operand::wrong_value;
use super::{Interpreter, of_diagnostic};
use crate::ApplicationSchema;
use crate::codes;
use crate::error::{Error, Places, Question};
use crate::params::Param;

impl Interpreter {
    /// `TO application_schema = …`.
    pub(super) fn schema_source(&mut self, source: Option<SchemaSource>) -> Result<LoweredSchema, Error> {
        let source = source.expect("the grammar demands a schema");
        let span = source.span();
        let operand = source.value();
        if let Some(pql_syntax::ast::Operand::Param(param)) = &operand
            && !source.is_file()
            && let Param::Schema(schema) = self.param(param.name(), param.span())?
        {
            return self.lower_schema(&schema).map_err(|error| error.at(span));
        }
        let schema = match self.operand(operand.as_ref(), span.clone())? {
            Value::Text(path) if source.is_file() => ApplicationSchema::file(path),
            Value::Text(text) => ApplicationSchema::text(text),
            other => return Err(wrong_value("a schema is a text", &other, span)),
        };
        self.lower_schema(&schema).map_err(|error| error.at(span))
    }

    /// Lowers a schema; what is wrong with its text is reported at its place in that text.
    pub(crate) fn lower_schema(&mut self, schema: &ApplicationSchema) -> Result<LoweredSchema, Error> {
        let dialect = self.dialect()?;
        let (name, text) = schema.read(dialect)?;
        if let Some((_, known)) = self.lowered.as_ref().filter(|(known, _)| *known == text) {
            return Ok(known.clone());
        }
        let lowered = if text.trim_start().starts_with('{') {
            lower::schema_json(&text, dialect)
        } else {
            let params = self.literals()?;
            lower::schema_text(&text, dialect, &params)
        };
        let lowered = lowered.map_err(|findings| {
            let mut places = Places::new(&text);
            Error::of_several(findings.iter().map(|finding| of_diagnostic(finding, &mut places)))
                .expect("a schema that is refused has at least one finding")
                .in_text(&name, &text)
        })?;
        // With a parameter in it the same text may mean something else the next time.
        if !text.contains('@') {
            self.lowered = Some((text, lowered.clone()));
        }
        Ok(lowered)
    }

    /// The operations that lead from a version (or from now) to a schema. Questions are an error that asks them.
    pub(crate) fn changes(
        &mut self,
        target: &LoweredSchema,
        from: Option<u64>,
        answers: &Answers,
    ) -> Result<Vec<Change>, Error> {
        let mut answers = answers.clone();
        answers
            .renamed_tables
            .extend(target.renamed_tables.iter().map(|(former, name)| (name.clone(), former.clone())));
        answers.renamed_columns.extend(
            target
                .renamed_columns
                .iter()
                .map(|(table, former, name)| (table.clone(), name.clone(), former.clone())),
        );
        let detection = self.engine()?.detect(from, &target.schema, &answers)?;
        // Answers that were given beforehand, in front of a terminal, hold for all of a script.
        let stray = detection.unused_answers.iter().find(|id| !self.answers.contains_key(*id));
        if let Some(stray) = stray {
            let answered = answers.by_id.keys().filter(|id| !detection.unused_answers.contains(id));
            let open = detection.questions.iter().map(|question| &question.id);
            let mut names: Vec<&str> = answered.chain(open).map(String::as_str).collect();
            names.sort_unstable();
            let help = match names.as_slice() {
                [] => "there is no question: leave the answer out".to_owned(),
                names => format!("the questions are {}", names.join(", ")),
            };
            let message = format!("`{stray}` answers a question that was not asked");
            return Err(Error::new(codes::NO_QUESTION, message).with_help(help));
        }
        if let Some(first) = detection.questions.first() {
            let help = format!(
                "answer in the statement, `WITH {} = true` or `false`, or write RENAMED FROM in the schema",
                first.id
            );
            let questions = detection
                .questions
                .iter()
                .map(|question| Question { id: question.id.clone(), question: question.to_string() })
                .collect();
            return Err(Error::new(pql_engine::codes::QUESTION, "the change can be read in two ways")
                .with_help(help)
                .with_questions(questions));
        }
        Ok(detection.changes)
    }
}

impl ApplicationSchema {
    /// What to call it, and its text for a family of databases.
    fn read(&self, dialect: pql_planner::Dialect) -> Result<(String, String), Error> {
        self.source_text(dialect).map_err(|(path, error)| {
            Error::new(codes::FILE, format!("cannot read {path}: {error}")).with_source(error)
        })
    }
}
