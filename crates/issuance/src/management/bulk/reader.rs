//! Records of a file that arrives piece by piece: CSV (RFC 4180) or JSON Lines. Never more than one of them is held.

use csv_core::ReadRecordResult;

use super::columns::MOST;

/// Largest record, in bytes.
pub const LARGEST_ROW: usize = 1024 * 1024;

/// What a file is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values with a header.
    Csv,
    /// One JSON object a line.
    JsonLines,
}

/// A record as it stands in the file: the cells of a line of CSV, or the one line of JSON.
pub(super) type Record = Vec<Vec<u8>>;

/// Why the file cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReadError {
    /// A record is larger than [`LARGEST_ROW`].
    TooLarge,
    /// A record has more columns than any file may have.
    TooWide,
}

/// Splits a file into records.
pub(super) enum Reader {
    Csv(Box<Csv>),
    JsonLines(Vec<u8>),
}

pub(super) struct Csv {
    reader: csv_core::Reader,
    output: Vec<u8>,
    written: usize,
    ends: Vec<usize>,
    ended: usize,
}

impl Reader {
    pub(super) fn new(format: Format) -> Self {
        match format {
            Format::Csv => Self::Csv(Box::new(Csv {
                reader: csv_core::Reader::new(),
                output: vec![0; 16 * 1024],
                written: 0,
                // One more than is accepted, so that too many are noticed.
                ends: vec![0; MOST + 1],
                ended: 0,
            })),
            Format::JsonLines => Self::JsonLines(Vec::new()),
        }
    }

    /// Records that end in `bytes`.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<Vec<Record>, ReadError> {
        match self {
            // To the parser, nothing means the end of the file.
            Self::Csv(_) if bytes.is_empty() => Ok(Vec::new()),
            Self::Csv(csv) => csv.push(bytes),
            Self::JsonLines(line) => {
                let mut records = Vec::new();
                let mut rest = bytes;
                while let Some(position) = rest.iter().position(|byte| *byte == b'\n') {
                    let (end, after) = rest.split_at(position);
                    line.extend_from_slice(end);
                    records.extend(end_line(line)?);
                    rest = after.get(1..).unwrap_or_default();
                }
                line.extend_from_slice(rest);
                if line.len() > LARGEST_ROW { Err(ReadError::TooLarge) } else { Ok(records) }
            }
        }
    }

    /// The record that the file breaks off with.
    pub(super) fn finish(&mut self) -> Result<Vec<Record>, ReadError> {
        match self {
            Self::Csv(csv) => csv.push(&[]),
            Self::JsonLines(line) => Ok(end_line(line)?.into_iter().collect()),
        }
    }
}

/// The line as a record, unless it is blank.
fn end_line(line: &mut Vec<u8>) -> Result<Option<Record>, ReadError> {
    let line = std::mem::take(line);
    if line.len() > LARGEST_ROW {
        return Err(ReadError::TooLarge);
    }
    let is_blank = line.iter().all(u8::is_ascii_whitespace);
    Ok((!is_blank).then(|| vec![line]))
}

impl Csv {
    fn push(&mut self, mut input: &[u8]) -> Result<Vec<Record>, ReadError> {
        let is_end = input.is_empty();
        let mut records = Vec::new();
        loop {
            let output = self.output.get_mut(self.written..).unwrap_or_default();
            let ends = self.ends.get_mut(self.ended..).unwrap_or_default();
            let (result, read, written, ended) = self.reader.read_record(input, output, ends);
            input = input.get(read..).unwrap_or_default();
            self.written += written;
            self.ended += ended;
            match result {
                ReadRecordResult::InputEmpty if is_end => {}
                ReadRecordResult::InputEmpty => return Ok(records),
                ReadRecordResult::OutputFull if self.output.len() >= LARGEST_ROW => return Err(ReadError::TooLarge),
                ReadRecordResult::OutputFull => self.output.resize(self.output.len() * 2, 0),
                ReadRecordResult::OutputEndsFull => return Err(ReadError::TooWide),
                ReadRecordResult::Record => {
                    if self.ended > MOST {
                        return Err(ReadError::TooWide);
                    }
                    records.push(self.record());
                    (self.written, self.ended) = (0, 0);
                    if input.is_empty() && !is_end {
                        return Ok(records);
                    }
                }
                ReadRecordResult::End => return Ok(records),
            }
        }
    }

    fn record(&self) -> Record {
        let mut begin = 0;
        let cell = |end: &usize| {
            let cell = self.output.get(begin..*end).unwrap_or_default().to_vec();
            begin = *end;
            cell
        };
        self.ends.iter().take(self.ended).map(cell).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(format: Format, text: &str, piece: usize) -> Result<Vec<Vec<String>>, ReadError> {
        let mut reader = Reader::new(format);
        let mut records = Vec::new();
        for piece in text.as_bytes().chunks(piece) {
            records.extend(reader.push(piece)?);
        }
        records.extend(reader.finish()?);
        let texts = |record: Record| record.into_iter().map(|cell| String::from_utf8(cell).unwrap()).collect();
        Ok(records.into_iter().map(texts).collect())
    }

    #[test]
    fn records_do_not_depend_on_how_the_file_arrives() {
        let csv = "name,note\r\nAda,\"a \"\"b\"\",\r\nc\"\n\nGrace,\n";
        let lines = "{\"a\":1}\r\n\n  \n{\"b\":\"ü\"}";
        for piece in 1..60 {
            let read_csv = read(Format::Csv, csv, piece).unwrap();
            assert_eq!(read_csv, [vec!["name", "note"], vec!["Ada", "a \"b\",\r\nc"], vec!["Grace", ""]], "{piece}");
            let read_lines = read(Format::JsonLines, lines, piece).unwrap();
            assert_eq!(read_lines, [["{\"a\":1}\r"], ["{\"b\":\"ü\"}"]], "{piece}");
        }
    }

    #[test]
    fn a_record_is_bounded() {
        let endless = format!("a\n\"{}", "x".repeat(LARGEST_ROW + 1));
        assert_eq!(read(Format::Csv, &endless, 4096), Err(ReadError::TooLarge));
        assert_eq!(read(Format::JsonLines, &endless, 4096), Err(ReadError::TooLarge));
        let wide = ",".repeat(MOST);
        assert_eq!(read(Format::Csv, &wide, 4096), Err(ReadError::TooWide));
    }
}
