//! Values from the server: truth, integers, floats, text and bytes as they are, everything else as the text that
//! PostgreSQL itself would print (times in ISO form, instants in UTC).

use std::error::Error as StdError;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

use chrono::{NaiveDate, NaiveTime, TimeDelta};
use postgres::types::{FromSql, Kind, Type};

use crate::Value;

/// A value of any type.
pub(super) struct Cell(pub(super) Value);

impl<'a> FromSql<'a> for Cell {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self(value(ty, raw)))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self(Value::Null))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// A value from its binary form; one of a type that nothing is known of is shown as its bytes.
fn value(ty: &Type, raw: &[u8]) -> Value {
    let mut bytes = Bytes(raw);
    known(ty, &mut bytes).unwrap_or_else(|| Value::Text(hex(raw)))
}

fn known(ty: &Type, raw: &mut Bytes<'_>) -> Option<Value> {
    let text = |text: String| Some(Value::Text(text));
    Some(match *ty {
        Type::BOOL => Value::Boolean(raw.0.first()? != &0),
        Type::INT2 => Value::Integer(raw.i16()?.into()),
        Type::INT4 => Value::Integer(raw.i32()?.into()),
        Type::INT8 | Type::XID8 => Value::Integer(raw.i64()?),
        Type::OID | Type::XID | Type::CID => Value::Integer(raw.u32()?.into()),
        Type::FLOAT4 => Value::Real(short(f32::from_bits(raw.u32()?))),
        Type::FLOAT8 => Value::Real(f64::from_bits(raw.u64()?)),
        Type::BYTEA => Value::Blob(raw.0.to_vec()),
        Type::NUMERIC => return text(numeric(raw)?),
        Type::DATE => return text(date(raw.i32()?)?),
        Type::TIME => return text(time(raw.i64()?)?),
        Type::TIMETZ => {
            let at = time(raw.i64()?)?;
            return text(format!("{at}{}", zone(-raw.i32()?)));
        }
        Type::TIMESTAMP => return text(timestamp(raw.i64()?, "")?),
        Type::TIMESTAMPTZ => return text(timestamp(raw.i64()?, "+00")?),
        Type::INTERVAL => {
            let (micros, days, months) = (raw.i64()?, raw.i32()?, raw.i32()?);
            return text(interval(months, days, micros));
        }
        Type::UUID => return text(uuid::Uuid::from_slice(raw.0).ok()?.to_string()),
        Type::JSONB => return text(utf8(raw.0.strip_prefix(&[1])?)),
        Type::CHAR => return text(raw.0.first().map(|byte| char::from(*byte).to_string())?),
        Type::MONEY => {
            let cents = raw.i64()?;
            let sign = if cents < 0 { "-" } else { "" };
            return text(format!("{sign}{}.{:02}", cents.unsigned_abs() / 100, cents.unsigned_abs() % 100));
        }
        Type::INET | Type::CIDR => return text(address(raw.0, *ty == Type::CIDR)?),
        Type::MACADDR | Type::MACADDR8 => {
            let parts: Vec<String> = raw.0.iter().map(|byte| format!("{byte:02x}")).collect();
            return text(parts.join(":"));
        }
        Type::BIT | Type::VARBIT => {
            let count = usize::try_from(raw.i32()?).ok()?;
            let bit = |at: usize| {
                raw.0.get(at / 8).map(|byte| if byte & (0x80 >> (at % 8)) == 0 { '0' } else { '1' })
            };
            return text((0..count).map(bit).collect::<Option<String>>()?);
        }
        Type::TID => return text(format!("({},{})", raw.u32()?, raw.u16()?)),
        Type::PG_LSN => {
            let at = raw.u64()?;
            return text(format!("{:X}/{:X}", at >> 32, at & 0xffff_ffff));
        }
        Type::POINT => {
            return text(format!("({},{})", f64::from_bits(raw.u64()?), f64::from_bits(raw.u64()?)));
        }
        Type::VOID => return text(String::new()),
        Type::RECORD => return text(record(raw)?),
        _ => match ty.kind() {
            Kind::Enum(_) => return text(utf8(raw.0)),
            Kind::Domain(base) => return known(base, raw),
            Kind::Array(of) => return text(array(of, raw)?),
            Kind::Range(of) => return text(range(of, raw)?),
            Kind::Composite(_) => return text(record(raw)?),
            _ => match ty.name() {
                "vector" => return text(vector(raw)?),
                "hstore" | "tsvector" | "tsquery" | "geometry" | "halfvec" | "sparsevec" | "bit" => {
                    return None;
                }
                // Most other types of one piece are sent as their text.
                _ => {
                    return text(
                        std::str::from_utf8(raw.0).ok().filter(|text| !text.contains('\0'))?.to_owned(),
                    );
                }
            },
        },
    })
}

/// A value inside another one.
enum Inner<'a> {
    Null,
    Value(&'a [u8]),
}

/// Bytes that are read from the left.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.0.split_first_chunk::<N>()?;
        self.0 = tail;
        Some(*head)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_be_bytes)
    }

    fn i16(&mut self) -> Option<i16> {
        self.take().map(i16::from_be_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_be_bytes)
    }

    fn i32(&mut self) -> Option<i32> {
        self.take().map(i32::from_be_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_be_bytes)
    }

    fn i64(&mut self) -> Option<i64> {
        self.take().map(i64::from_be_bytes)
    }

    /// A value with its length before it.
    fn sized(&mut self) -> Option<Inner<'a>> {
        let Ok(len) = usize::try_from(self.i32()?) else { return Some(Inner::Null) };
        let (value, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(Inner::Value(value))
    }
}

fn utf8(raw: &[u8]) -> String {
    String::from_utf8_lossy(raw).into_owned()
}

/// Bytes as PostgreSQL writes them.
pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 + bytes.len() * 2);
    text.push_str("\\x");
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// A short float as the number that its decimal form names.
fn short(number: f32) -> f64 {
    number.to_string().parse().unwrap_or_else(|_| number.into())
}

fn numeric(raw: &mut Bytes<'_>) -> Option<String> {
    let (count, weight, sign, scale) = (raw.i16()?, raw.i16()?, raw.u16()?, raw.u16()?);
    match sign {
        0xC000 => return Some("NaN".to_owned()),
        0xD000 => return Some("Infinity".to_owned()),
        0xF000 => return Some("-Infinity".to_owned()),
        _ => {}
    }
    let digits: Vec<i16> = (0..count).map(|_| raw.i16()).collect::<Option<_>>()?;
    // A group of four digits for each power of 10,000, from the weight down.
    let group = |power: i32| {
        usize::try_from(i32::from(weight) - power).ok().and_then(|at| digits.get(at)).copied().unwrap_or(0)
    };
    let mut text = if sign == 0x4000 { "-".to_owned() } else { String::new() };
    if weight < 0 {
        text.push('0');
    }
    for power in (0..=i32::from(weight)).rev() {
        let first = power == i32::from(weight);
        let _ = if first { write!(text, "{}", group(power)) } else { write!(text, "{:04}", group(power)) };
    }
    if scale > 0 {
        let mut fraction = String::new();
        let mut power = -1;
        while fraction.len() < usize::from(scale) {
            let _ = write!(fraction, "{:04}", group(power));
            power -= 1;
        }
        fraction.truncate(scale.into());
        text.push('.');
        text.push_str(&fraction);
    }
    Some(text)
}

fn epoch() -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(2000, 1, 1)
}

fn date(days: i32) -> Option<String> {
    match days {
        i32::MAX => Some("infinity".to_owned()),
        i32::MIN => Some("-infinity".to_owned()),
        days => Some(calendar(epoch()?.checked_add_signed(TimeDelta::days(days.into()))?)),
    }
}

/// A day; before the year 1 there is no year 0.
fn calendar(day: NaiveDate) -> String {
    use chrono::Datelike as _;
    match day.year() {
        year @ 1.. => format!("{year:04}-{:02}-{:02}", day.month(), day.day()),
        year => format!("{:04}-{:02}-{:02} BC", 1 - year, day.month(), day.day()),
    }
}

fn time(micros: i64) -> Option<String> {
    if micros == 86_400_000_000 {
        return Some("24:00:00".to_owned());
    }
    let seconds = u32::try_from(micros.div_euclid(1_000_000)).ok()?;
    let fraction = micros.rem_euclid(1_000_000);
    let at = NaiveTime::from_num_seconds_from_midnight_opt(seconds, 0)?;
    Some(format!("{}{}", at.format("%H:%M:%S"), decimals(fraction)))
}

/// The fraction of a second without needless zeros.
fn decimals(micros: i64) -> String {
    if micros == 0 { String::new() } else { format!(".{micros:06}").trim_end_matches('0').to_owned() }
}

fn timestamp(micros: i64, suffix: &str) -> Option<String> {
    match micros {
        i64::MAX => return Some("infinity".to_owned()),
        i64::MIN => return Some("-infinity".to_owned()),
        _ => {}
    }
    let day = 86_400_000_000;
    let date = calendar(epoch()?.checked_add_signed(TimeDelta::days(micros.div_euclid(day)))?);
    let time = time(micros.rem_euclid(day))?;
    Some(match date.strip_suffix(" BC") {
        Some(date) => format!("{date} {time}{suffix} BC"),
        None => format!("{date} {time}{suffix}"),
    })
}

fn zone(seconds: i32) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let minutes = seconds.unsigned_abs() / 60;
    if minutes.is_multiple_of(60) {
        format!("{sign}{:02}", minutes / 60)
    } else {
        format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

fn interval(months: i32, days: i32, micros: i64) -> String {
    let mut parts = Vec::new();
    // A part after a negative one says that it is positive.
    let mut negative = false;
    let mut push = |number: i32, one: &str| {
        if number != 0 {
            let plus = if negative && number > 0 { "+" } else { "" };
            parts.push(format!("{plus}{number} {one}{}", if number == 1 { "" } else { "s" }));
            negative = number < 0;
        }
    };
    push(months / 12, "year");
    push(months % 12, "mon");
    push(days, "day");
    if micros != 0 || parts.is_empty() {
        let sign = if micros < 0 {
            "-"
        } else if negative {
            "+"
        } else {
            ""
        };
        let all = micros.unsigned_abs();
        let seconds = all / 1_000_000;
        let fraction = decimals(i64::try_from(all % 1_000_000).unwrap_or(0));
        parts.push(format!(
            "{sign}{:02}:{:02}:{:02}{fraction}",
            seconds / 3600,
            seconds / 60 % 60,
            seconds % 60
        ));
    }
    parts.join(" ")
}

fn address(raw: &[u8], network: bool) -> Option<String> {
    let (&[family, bits, _, len], rest) = raw.split_first_chunk::<4>()?;
    let (address, whole) = match len {
        4 => (Ipv4Addr::from(<[u8; 4]>::try_from(rest).ok()?).to_string(), 32),
        16 => (Ipv6Addr::from(<[u8; 16]>::try_from(rest).ok()?).to_string(), 128),
        _ => return None,
    };
    let _ = family;
    Some(if bits == whole && !network { address } else { format!("{address}/{bits}") })
}

fn vector(raw: &mut Bytes<'_>) -> Option<String> {
    let (count, _) = (raw.u16()?, raw.u16()?);
    let parts: Vec<String> =
        (0..count).map(|_| raw.u32().map(|bits| f32::from_bits(bits).to_string())).collect::<Option<_>>()?;
    Some(format!("[{}]", parts.join(",")))
}

/// The text of a value inside another one.
fn inner(ty: &Type, raw: &[u8]) -> String {
    match value(ty, raw) {
        Value::Null => "NULL".to_owned(),
        Value::Boolean(truth) => if truth { "t" } else { "f" }.to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => number.to_string(),
        Value::Text(text) => text,
        Value::Blob(bytes) => hex(&bytes),
    }
}

fn array(of: &Type, raw: &mut Bytes<'_>) -> Option<String> {
    let dimensions = usize::try_from(raw.i32()?).ok()?;
    let (_, _) = (raw.i32()?, raw.u32()?);
    let mut lengths = Vec::new();
    for _ in 0..dimensions {
        lengths.push(usize::try_from(raw.i32()?).ok()?);
        raw.i32()?;
    }
    if lengths.is_empty() {
        return Some("{}".to_owned());
    }
    let mut out = String::new();
    elements(of, raw, &lengths, &mut out)?;
    Some(out)
}

fn elements(of: &Type, raw: &mut Bytes<'_>, lengths: &[usize], out: &mut String) -> Option<()> {
    let (&length, deeper) = lengths.split_first()?;
    out.push('{');
    for at in 0..length {
        if at > 0 {
            out.push(',');
        }
        if !deeper.is_empty() {
            elements(of, raw, deeper, out)?;
            continue;
        }
        match raw.sized()? {
            Inner::Null => out.push_str("NULL"),
            Inner::Value(raw) => {
                let text = inner(of, raw);
                let plain = !text.is_empty()
                    && !text.eq_ignore_ascii_case("null")
                    && !text.contains(|c: char| c.is_whitespace() || "{},\"\\".contains(c));
                if plain { out.push_str(&text) } else { push_quoted(out, &text) }
            }
        }
    }
    out.push('}');
    Some(())
}

fn push_quoted(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
}

fn record(raw: &mut Bytes<'_>) -> Option<String> {
    let count = raw.i32()?;
    let mut out = "(".to_owned();
    for at in 0..count {
        if at > 0 {
            out.push(',');
        }
        let ty = Type::from_oid(raw.u32()?).unwrap_or(Type::UNKNOWN);
        if let Inner::Value(raw) = raw.sized()? {
            let text = inner(&ty, raw);
            let plain =
                !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || "(),\"\\".contains(c));
            if plain { out.push_str(&text) } else { push_quoted(&mut out, &text) }
        }
    }
    out.push(')');
    Some(out)
}

fn range(of: &Type, raw: &mut Bytes<'_>) -> Option<String> {
    let [flags] = raw.take::<1>()?;
    if flags & 0x01 != 0 {
        return Some("empty".to_owned());
    }
    let mut bound = |infinite: u8| -> Option<String> {
        if flags & infinite != 0 {
            return Some(String::new());
        }
        let Inner::Value(raw) = raw.sized()? else { return None };
        let text = inner(of, raw);
        let plain =
            !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || "()[],\"\\".contains(c));
        if plain {
            return Some(text);
        }
        let mut quoted = String::new();
        push_quoted(&mut quoted, &text);
        Some(quoted)
    };
    let (lower, upper) = (bound(0x08)?, bound(0x10)?);
    let open = if flags & 0x02 == 0 { '(' } else { '[' };
    let close = if flags & 0x04 == 0 { ')' } else { ']' };
    Some(format!("{open}{lower},{upper}{close}"))
}
