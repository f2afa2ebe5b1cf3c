//! The header of a CSV file: which column goes to which place of a row.
//!
//! A name is a claim, dotted (`address.locality`) or a JSON Pointer (`/address/locality`), or one of `row:userPin` and
//! `row:reference`, which are about the row. A claim is text unless its column ends with `:number`, `:boolean` or
//! `:json`. Digits are a position in an array, unless the definition describes a claim of that name.

use std::collections::BTreeMap;

use chancery_formats::PathSegment;
use chancery_model::Entry;
use serde_json::{Map, Number, Value};

use crate::management::body::{Fault, Faults, below, parse};

/// Most columns of a file.
pub(super) const MOST: usize = 512;

/// Largest position in an array that a column can name.
const LAST_POSITION: u32 = 255;

/// What the cells of a file's columns become.
pub(super) struct Columns(Vec<Column>);

struct Column {
    header: String,
    target: Target,
}

enum Target {
    Pin,
    Reference,
    Individual,
    Mapper,
    Claim { path: Vec<PathSegment>, kind: Kind },
}

#[derive(Clone, Copy)]
enum Kind {
    Text,
    Number,
    Boolean,
    Json,
}

impl Columns {
    /// Reads the header; faults point at `/header/{position}`.
    pub(super) fn read(cells: &[&str], entry: &Entry) -> Result<Self, Vec<Fault>> {
        let mut faults = Faults::default();
        let mut columns = Vec::with_capacity(cells.len());
        let mut shape = Node::Members(Vec::new());
        for (position, cell) in cells.iter().enumerate() {
            let place = format!("/header/{position}");
            let header = cell.trim();
            let shown: String = header.chars().take(64).collect();
            match target(header, entry) {
                Err(detail) => faults.add(place, format!("the column {shown:?}: {detail}")),
                Ok(Target::Claim { path, .. }) if shape.put(&path, Value::Null).is_err() => {
                    faults.add(place, format!("the column {shown:?} stands where another column stands"));
                }
                Ok(target) => {
                    let is_twice = columns.iter().any(|known: &Column| known.header == header);
                    if is_twice {
                        faults.add(place, format!("the column {shown:?} is there twice"));
                    }
                    columns.push(Column { header: header.to_owned(), target });
                }
            }
        }
        faults.none_or(Some(Self(columns)))
    }

    /// The row that these cells stand for, as a row of JSON Lines has it. Empty cells are absent.
    pub(super) fn row(&self, cells: &[&str]) -> Result<Map<String, Value>, Vec<Fault>> {
        let mut faults = Faults::default();
        if cells.len() != self.0.len() {
            faults.add("", format!("{} columns are expected; got {}", self.0.len(), cells.len()));
        }
        let mut row = Map::new();
        let mut claims = Node::Members(Vec::new());
        for (column, cell) in self.0.iter().zip(cells).filter(|(_, cell)| !cell.is_empty()) {
            match &column.target {
                Target::Pin => drop(row.insert("userPin".to_owned(), Value::from(*cell))),
                Target::Reference => drop(row.insert("reference".to_owned(), Value::from(*cell))),
                Target::Individual => drop(row.insert("individualId".to_owned(), Value::from(*cell))),
                Target::Mapper => drop(row.insert("mapperId".to_owned(), Value::from(*cell))),
                Target::Claim { path, kind } => match kind.read(cell) {
                    // The header has shown that no two columns stand in each other's way.
                    Ok(value) => drop(claims.put(path, value)),
                    Err(detail) => faults.add(pointer(path), detail),
                },
            }
        }
        row.insert("claims".to_owned(), claims.value());
        faults.none_or(Some(row))
    }

    /// Header of the column from which the value at this pointer comes; empty when it is none in particular.
    pub(super) fn header(&self, at: &str) -> &str {
        let is_at = |column: &&Column| match &column.target {
            Target::Pin => at == "/userPin",
            Target::Reference => at == "/reference",
            Target::Individual => at == "/individualId",
            Target::Mapper => at == "/mapperId",
            Target::Claim { path, .. } => {
                let own = pointer(path);
                at.strip_prefix(&own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            }
        };
        self.0.iter().find(is_at).map(|column| column.header.as_str()).unwrap_or_default()
    }
}

impl Kind {
    fn read(self, cell: &str) -> Result<Value, &'static str> {
        match self {
            Self::Text => Ok(Value::from(cell)),
            Self::Number => {
                let number: Option<Number> = serde_json::from_str(cell.trim()).ok();
                number.map(Value::Number).ok_or("a number is expected, such as 12 or -0.5")
            }
            Self::Boolean => match cell.trim() {
                "true" => Ok(Value::Bool(true)),
                "false" => Ok(Value::Bool(false)),
                _ => Err("true or false is expected"),
            },
            Self::Json => {
                let only = parse(format!("{{\"v\":{cell}}}").as_bytes()).ok().filter(|object| object.len() == 1);
                only.and_then(|mut object| object.remove("v")).ok_or("a JSON value is expected")
            }
        }
    }
}

/// What a header names, or why it names nothing.
fn target(header: &str, entry: &Entry) -> Result<Target, &'static str> {
    match header {
        "" => return Err("a name is expected"),
        "row:userPin" => return Ok(Target::Pin),
        "row:reference" => return Ok(Target::Reference),
        "row:individualId" => return Ok(Target::Individual),
        "row:mapperId" => return Ok(Target::Mapper),
        _ => {}
    }
    let (name, kind) = match header.rsplit_once(':') {
        Some((name, "number")) => (name, Kind::Number),
        Some((name, "boolean")) => (name, Kind::Boolean),
        Some((name, "json")) => (name, Kind::Json),
        Some(_) | None => (header, Kind::Text),
    };
    let segments: Vec<String> = match name.strip_prefix('/') {
        Some(pointer) => pointer.split('/').map(|part| part.replace("~1", "/").replace("~0", "~")).collect(),
        None => name.split('.').map(str::to_owned).collect(),
    };
    if segments.iter().any(String::is_empty) {
        return Err("a part of the path is empty");
    }
    let mut path = Vec::with_capacity(segments.len());
    for segment in segments {
        let step = step(segment, &path, entry)?;
        path.push(step);
    }
    if !is_described(&path, entry) {
        return Err("the definition describes no such claim");
    }
    Ok(Target::Claim { path, kind })
}

fn step(segment: String, above: &[PathSegment], entry: &Entry) -> Result<PathSegment, &'static str> {
    let is_number = segment.bytes().all(|c| c.is_ascii_digit());
    let named = PathSegment::Name(segment);
    let PathSegment::Name(segment) = &named else { return Ok(named) };
    let names_it = |path: &[PathSegment]| fits(above, path) && path.get(above.len()) == Some(&named);
    if !is_number || above.is_empty() || entry.claims.iter().any(|claim| names_it(claim.path.segments())) {
        return Ok(named);
    }
    let position = segment.parse().ok().filter(|position| *position <= LAST_POSITION);
    position.map(PathSegment::Index).ok_or("the position in the array is too large")
}

/// Whether the definition says anything about the value at `path`, what it is in, or what is in it.
fn is_described(path: &[PathSegment], entry: &Entry) -> bool {
    entry.claims.iter().any(|claim| fits(path, claim.path.segments()))
}

/// Whether two paths agree as far as both go.
fn fits(path: &[PathSegment], described: &[PathSegment]) -> bool {
    path.iter().zip(described).all(|(own, other)| match (own, other) {
        (PathSegment::Index(_), PathSegment::All) => true,
        (PathSegment::Name(_) | PathSegment::Index(_) | PathSegment::All, _) => own == other,
    })
}

fn pointer(path: &[PathSegment]) -> String {
    path.iter().fold("/claims".to_owned(), |above, segment| match segment {
        PathSegment::Name(name) => below(&above, name),
        PathSegment::Index(index) => format!("{above}/{index}"),
        PathSegment::All => format!("{above}/*"),
    })
}

/// Claims that are being put together. Elements of arrays without a value leave no gap.
enum Node {
    Leaf(Value),
    Members(Vec<(String, Self)>),
    Elements(BTreeMap<u32, Self>),
}

/// Something stands there already.
struct Taken;

impl Node {
    fn put(&mut self, path: &[PathSegment], value: Value) -> Result<(), Taken> {
        let Some((first, rest)) = path.split_first() else { return Err(Taken) };
        let next = |rest: &[PathSegment]| match rest.first() {
            None => None,
            Some(PathSegment::Name(_)) => Some(Self::Members(Vec::new())),
            Some(PathSegment::Index(_) | PathSegment::All) => Some(Self::Elements(BTreeMap::new())),
        };
        match (self, first) {
            (Self::Members(members), PathSegment::Name(name)) => {
                if let Some((_, known)) = members.iter_mut().find(|(known, _)| known == name) {
                    return known.put(rest, value);
                }
                let node = match next(rest) {
                    None => Self::Leaf(value),
                    Some(mut node) => {
                        node.put(rest, value)?;
                        node
                    }
                };
                members.push((name.clone(), node));
                Ok(())
            }
            (Self::Elements(elements), PathSegment::Index(index)) => {
                if let Some(known) = elements.get_mut(index) {
                    return known.put(rest, value);
                }
                let node = match next(rest) {
                    None => Self::Leaf(value),
                    Some(mut node) => {
                        node.put(rest, value)?;
                        node
                    }
                };
                elements.insert(*index, node);
                Ok(())
            }
            (Self::Leaf(_) | Self::Members(_) | Self::Elements(_), _) => Err(Taken),
        }
    }

    fn value(self) -> Value {
        match self {
            Self::Leaf(value) => value,
            Self::Members(members) => members.into_iter().map(|(name, node)| (name, node.value())).collect(),
            Self::Elements(elements) => elements.into_values().map(Self::value).collect(),
        }
    }
}

#[cfg(test)]
mod tests;
