//! PostgreSQL's SERIAL: an integer, a sequence that is the column's own, and a default that takes from it.

use pql_schema::{Column, DataType, Expr, ObjectName, TokenKind, tokens};

/// Has a column that counts by a sequence of its own say so by its type. The server knows it only as a default; where the
/// table is created anew, there is no such sequence yet.
pub fn count_by_type(table: &ObjectName, column: &mut Column) {
    let serial = match column.data_type {
        DataType::SmallInt => "SMALLSERIAL",
        DataType::Integer => "SERIAL",
        DataType::BigInt => "BIGSERIAL",
        _ => return,
    };
    let own =
        ObjectName { schema: table.schema.clone(), name: format!("{}_{}_seq", table.name, column.name) };
    if column.not_null && column.default.as_ref().and_then(sequence).is_some_and(|used| used == own) {
        column.data_type = DataType::Native(serial.to_owned());
        (column.default, column.not_null) = (None, false);
    }
}

/// The other way round for a column that is there already and counts by such a sequence.
pub(super) fn count_as_stored(table: &ObjectName, wanted: &mut Column, now: &Column) {
    let DataType::Native(name) = &wanted.data_type else { return };
    let mut said = now.clone();
    count_by_type(table, &mut said);
    let counts = said.data_type != now.data_type;
    let same =
        counts && matches!(&said.data_type, DataType::Native(serial) if serial.eq_ignore_ascii_case(name));
    if same && wanted.default.is_none() {
        wanted.data_type = now.data_type.clone();
        wanted.default.clone_from(&now.default);
        wanted.not_null = true;
    }
}

/// The sequence of `nextval('…'::regclass)`.
fn sequence(default: &Expr) -> Option<ObjectName> {
    let all: Vec<_> = tokens(default.as_str()).collect();
    let [call, open, text, rest @ ..] = all.as_slice() else { return None };
    let rest: Vec<&str> = rest.iter().map(|token| token.text).collect();
    let is_call = call.text.eq_ignore_ascii_case("nextval") && open.text == "(";
    if !is_call || text.kind != TokenKind::String || rest != [":", ":", "regclass", ")"] {
        return None;
    }
    let mut parts: Vec<String> =
        tokens(text.text.trim_matches('\'')).filter_map(|token| token.name()).collect();
    let name = parts.pop()?;
    let schema = parts.pop().filter(|schema| schema != "public");
    parts.is_empty().then_some(ObjectName { schema, name })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_counts_already_is_as_it_is_stored() {
        let mut now = Column::new("id", DataType::Integer);
        (now.not_null, now.default) = (true, Some(Expr::new("nextval('t_id_seq'::regclass)")));
        let mut wanted = Column::new("id", DataType::Native("serial".to_owned()));
        count_as_stored(&"t".into(), &mut wanted, &now);
        assert_eq!(wanted, now);
        wanted = Column::new("id", DataType::Native("BIGSERIAL".to_owned()));
        count_as_stored(&"t".into(), &mut wanted, &now);
        assert_ne!(wanted, now);
    }

    #[test]
    fn only_a_sequence_of_its_own_is_said_by_the_type() {
        let counted = |table: ObjectName, name: &str, default: &str| {
            let mut column = Column::new(name, DataType::BigInt);
            (column.not_null, column.default) = (true, Some(Expr::new(default)));
            count_by_type(&table, &mut column);
            column.data_type.to_string()
        };
        let app = |name: &str| ObjectName { schema: Some("app".to_owned()), name: name.to_owned() };
        assert_eq!(counted("t".into(), "id", "nextval('t_id_seq'::regclass)"), "BIGSERIAL");
        assert_eq!(counted(app("T"), "Id", "nextval('app.\"T_Id_seq\"'::regclass)"), "BIGSERIAL");
        for (table, default) in [
            ("t".into(), "nextval('u_id_seq'::regclass)"),
            (app("t"), "nextval('t_id_seq'::regclass)"),
            ("t".into(), "nextval('t_id_seq'::regclass) + 1"),
            ("t".into(), "7"),
        ] {
            assert_eq!(counted(table, "id", default), "BIGINT", "{default}");
        }
    }
}
