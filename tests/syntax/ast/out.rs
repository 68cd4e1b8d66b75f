//! An indented list of labelled values.

use std::fmt::{Debug, Display, Write};

use pql_syntax::SyntaxToken;
use pql_syntax::ast::{
    AstNode, ColumnList, Expr, Literal, Name, Operand, Param, QualifiedName, RawParens, SettingValue,
    TypeName, Value,
};

/// The text so far and how deep it is indented.
#[derive(Default)]
pub(super) struct Out {
    text: String,
    depth: usize,
}

impl Out {
    pub(super) fn finish(self) -> String {
        self.text
    }

    fn line(&mut self, text: impl Display) {
        let indent = "  ".repeat(self.depth);
        writeln!(self.text, "{indent}{text}").expect("a string takes any text");
    }

    /// A heading and what belongs to it.
    pub(super) fn node(&mut self, heading: &str, inner: impl FnOnce(&mut Self)) {
        self.line(heading);
        self.depth += 1;
        inner(self);
        self.depth -= 1;
    }

    /// A heading and its content, if there is something.
    pub(super) fn maybe<T>(&mut self, heading: &str, it: Option<T>, inner: impl FnOnce(&mut Self, T)) {
        if let Some(it) = it {
            self.node(heading, |out| inner(out, it));
        }
    }

    /// A line with a label.
    pub(super) fn value(&mut self, label: &str, value: impl Display) {
        self.line(format_args!("{label}: {value}"));
    }

    /// A line with a label, if there is a value.
    pub(super) fn debug(&mut self, label: &str, value: Option<impl Debug>) {
        if let Some(value) = value {
            self.value(label, format_args!("{value:?}"));
        }
    }

    /// A word on its own, if it applies.
    pub(super) fn flag(&mut self, label: &str, applies: bool) {
        if applies {
            self.line(label);
        }
    }

    pub(super) fn name(&mut self, label: &str, name: Option<Name>) {
        if let Some(name) = name {
            self.value(label, spelt(&name));
        }
    }

    pub(super) fn qualified(&mut self, label: &str, name: Option<QualifiedName>) {
        if let Some(name) = name {
            let qualifiers = name.qualifiers();
            let parts = qualifiers.iter().chain(&name.name()).map(spelt).collect::<Vec<_>>();
            assert_eq!(name.parts().count(), parts.len());
            self.value(label, parts.join(" . "));
        }
    }

    pub(super) fn columns(&mut self, label: &str, list: Option<ColumnList>) {
        if let Some(list) = list {
            self.value(label, list.names().map(|name| spelt(&name)).collect::<Vec<_>>().join(", "));
        }
    }

    /// The tokens, and what the expression is if it is only one value.
    pub(super) fn expr(&mut self, label: &str, expr: Option<Expr>) {
        let Some(expr) = expr else { return };
        match (expr.as_literal(), expr.as_param()) {
            (Some(literal), _) => self.value(label, shown(&literal)),
            (None, Some(param)) => self.value(label, format_args!("parameter {}", param.name())),
            (None, None) => {
                self.value(label, joined(expr.tokens()));
                for param in expr.params() {
                    self.value("  parameter", param.name());
                }
            }
        }
    }

    pub(super) fn raw(&mut self, label: &str, raw: Option<RawParens>) {
        if let Some(raw) = raw {
            self.value(label, joined(raw.tokens()));
        }
    }

    pub(super) fn ty(&mut self, ty: Option<TypeName>) {
        let Some(ty) = ty else { return };
        let mut shown = ty.normalized();
        for qualifier in ty.qualifiers().iter().rev() {
            shown = format!("{} . {shown}", spelt(qualifier));
        }
        if !ty.args().is_empty() {
            write!(shown, " args {:?}", ty.args()).expect("a string takes any text");
        }
        if !ty.array_dims().is_empty() {
            write!(shown, " dimensions {:?}", ty.array_dims()).expect("a string takes any text");
        }
        self.value("type", shown);
    }

    pub(super) fn operand(&mut self, label: &str, operand: Option<Operand>) {
        match operand {
            Some(Operand::Literal(literal)) => self.value(label, shown(&literal)),
            Some(Operand::Param(param)) => self.param(label, &param),
            None => self.value(label, "(none)"),
        }
    }

    fn param(&mut self, label: &str, param: &Param) {
        self.value(label, format_args!("parameter {}", param.name()));
    }

    pub(super) fn setting(&mut self, label: &str, setting: Option<SettingValue>) {
        let Some(setting) = setting else { return };
        match setting.value() {
            Some(Value::Literal(literal)) => self.value(label, shown(&literal)),
            Some(Value::Param(param)) => self.param(label, &param),
            Some(Value::Word(name)) => self.value(label, format_args!("word {}", spelt(&name))),
            Some(Value::Default) => self.value(label, "the default"),
            Some(Value::File(path)) => self.value(label, format_args!("file {}", shown(&path))),
            Some(Value::FileParam(param)) => {
                self.value(label, format_args!("file of parameter {}", param.name()));
            }
            None => self.value(label, format_args!("malformed {}", setting.text())),
        }
    }
}

/// A name's meaning, and that it is quoted.
fn spelt(name: &Name) -> String {
    if name.is_quoted() { format!("{:?} (written {})", name.text(), name.raw()) } else { name.text() }
}

fn shown(literal: &Literal) -> String {
    format!("{literal:?}")
}

/// Tokens with one blank between them.
pub(super) fn joined(tokens: impl IntoIterator<Item = SyntaxToken>) -> String {
    tokens.into_iter().map(|token| token.text().to_owned()).collect::<Vec<_>>().join(" ")
}
