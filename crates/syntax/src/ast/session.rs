//! Settings, DESCRIBE and pass-through SQL.

use super::{AstNode, Literal, Name, Param, QualifiedName, all_tokens, child, has, nodes, tokens};
use crate::{SyntaxKind, SyntaxToken};

nodes! {
    /// `SET name = value`.
    Set(set);
    /// `RESET name`, `RESET ALL`.
    Reset(reset);
    /// `SHOW name`, `SHOW ALL`.
    Show(show);
    /// `DESCRIBE [name]`.
    Describe(describe);
    /// The value of a setting or of an option of WITH.
    SettingValue(setting_value);
    /// SQL that goes to the database as it is.
    PassThrough(pass_through);
    /// A line that psql understands, such as `\c other_database`; nothing runs.
    MetaLine(meta_line);
    /// A statement that did not parse. Its diagnostic says why.
    Error(error);
}

impl Set {
    /// The setting's name.
    pub fn name(&self) -> Option<Name> {
        Name::of(self.syntax())
    }

    /// Its new value.
    pub fn value(&self) -> Option<SettingValue> {
        child(self.syntax())
    }
}

impl Reset {
    /// The setting's name; `None` for ALL.
    pub fn name(&self) -> Option<Name> {
        Name::of(self.syntax())
    }

    /// `RESET ALL`.
    pub fn is_all(&self) -> bool {
        has(self.syntax(), SyntaxKind::kw_all)
    }
}

impl Show {
    /// The setting's name; `None` for ALL.
    pub fn name(&self) -> Option<Name> {
        Name::of(self.syntax())
    }

    /// `SHOW ALL`.
    pub fn is_all(&self) -> bool {
        has(self.syntax(), SyntaxKind::kw_all)
    }
}

impl Describe {
    /// What to describe; `None` for everything.
    pub fn name(&self) -> Option<QualifiedName> {
        child(self.syntax())
    }
}

/// What a setting is set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A literal.
    Literal(Literal),
    /// `@name`.
    Param(Param),
    /// A bare or quoted word such as `online`.
    Word(Name),
    /// DEFAULT: back to the default.
    Default,
    /// `FILE 'path'`.
    File(Literal),
    /// `FILE @path`.
    FileParam(Param),
}

impl SettingValue {
    /// The value; `None` when a literal is malformed inside, such as `E'\xff'`.
    pub fn value(&self) -> Option<Value> {
        let file = has(self.syntax(), SyntaxKind::kw_file);
        let negative = has(self.syntax(), SyntaxKind::minus);
        let token = tokens(self.syntax()).find(|token| {
            !token.kind().is_trivia()
                && !matches!(token.kind(), SyntaxKind::kw_file | SyntaxKind::plus | SyntaxKind::minus)
        })?;
        if let Some(param) = Param::cast(token.clone()) {
            return Some(if file { Value::FileParam(param) } else { Value::Param(param) });
        }
        match token.kind() {
            SyntaxKind::kw_default => Some(Value::Default),
            SyntaxKind::name => Name::cast(token).map(Value::Word),
            _ => Literal::from_token(&token).map(|literal| match literal {
                Literal::Number(digits) if negative => Value::Literal(Literal::Number(format!("-{digits}"))),
                literal if file => Value::File(literal),
                literal => Value::Literal(literal),
            }),
        }
    }
}

impl PassThrough {
    /// The leading words in upper case, such as `["CREATE", "TRIGGER"]`: up to three, as far as bare words go.
    pub fn keywords(&self) -> Vec<String> {
        self.tokens()
            .take(3)
            .take_while(|token| token.kind() == SyntaxKind::word)
            .map(|token| token.text().to_uppercase())
            .collect()
    }

    /// Its tokens without blanks and comments.
    pub fn tokens(&self) -> impl Iterator<Item = SyntaxToken> + use<> {
        all_tokens(self.syntax())
    }

    /// Its parameters, each time they are used, in order.
    pub fn params(&self) -> impl Iterator<Item = Param> + use<> {
        self.tokens().filter_map(Param::cast)
    }
}
