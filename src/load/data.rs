//! The rows that templates are filled from: read once, kept in one piece, shared by all workers.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use serde_json::value::RawValue;

use crate::model::plan::{DATA_BYTES_MAX, DATA_COLUMNS_MAX, DATA_ROWS_MAX};

/// Rows of texts, each with the same columns. Never empty.
#[derive(Debug)]
pub(super) struct Table {
    columns: Vec<String>,
    /// All values, row by row.
    text: String,
    /// Where each value ends in `text`.
    ends: Vec<usize>,
}

/// One row of a table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row<'a> {
    table: &'a Table,
    /// The number of its first value.
    first: usize,
}

impl Table {
    /// Reads a file: JSON objects where its name says so, else CSV.
    ///
    /// # Errors
    /// What is wrong, with the line, in words for a person. Never a value: it may be a secret.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(|error| error.to_string())?;
        file.take(DATA_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
        if bytes.len() as u64 > DATA_BYTES_MAX {
            return Err("the file is larger than 64 MiB".to_owned());
        }
        let is_json = path.extension().is_some_and(|extension| {
            ["json", "jsonl", "ndjson"].iter().any(|json| extension.eq_ignore_ascii_case(json))
        });
        if is_json { Self::from_json(&bytes) } else { Self::from_csv(&bytes) }
    }

    pub(super) fn from_csv(bytes: &[u8]) -> Result<Self, String> {
        let mut reader = csv::ReaderBuilder::new().from_reader(bytes);
        let header = reader.headers().map_err(|error| csv_words(&error))?;
        let mut table = Self::of(header.iter().map(|name| name.trim().to_owned()).collect())?;
        let mut record = csv::StringRecord::new();
        let (mut line, mut is_open) = (0, false);
        while reader.read_record(&mut record).map_err(|error| csv_words(&error))? {
            line = record.position().map_or(0, csv::Position::line);
            is_open = record.iter().next_back().is_some_and(|value| value.contains('\n'));
            for value in &record {
                table.add_value(value);
            }
            table.check_rows()?;
        }
        // Read on to the end of the file: what stands there then are rows.
        let is_open = is_open && !bytes.trim_ascii_end().ends_with(b"\"");
        if is_open && bytes.iter().filter(|byte| **byte == b'"').count() % 2 == 1 {
            return Err(format!("line {line} begins a value with a quotation mark that nothing closes"));
        }
        table.whole()
    }

    /// Objects, each on a line of its own or all in one array.
    pub(super) fn from_json(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "the file is not UTF-8 text".to_owned())?;
        let text = text.trim_start_matches('\u{feff}');
        if text.trim_start().starts_with('[') {
            let rows: Vec<Box<RawValue>> =
                serde_json::from_str(text).map_err(|error| json_words(&error, 0))?;
            let rows = rows.into_iter().enumerate();
            return Self::from_objects(rows.map(|(at, row)| Ok((format!("object {}", at + 1), row))));
        }
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        Self::from_objects(lines.map(|(at, line)| {
            let row = serde_json::from_str(line).map_err(|error| json_words(&error, at))?;
            Ok((format!("line {}", at + 1), row))
        }))
    }

    /// The first object names the columns; the others have the same ones.
    fn from_objects(
        rows: impl Iterator<Item = Result<(String, Box<RawValue>), String>>,
    ) -> Result<Self, String> {
        let mut table: Option<Self> = None;
        for row in rows {
            let (place, row) = row?;
            let object = object(&row).ok_or_else(|| format!("{place} is no JSON object"))?;
            let table = match &mut table {
                Some(table) => table,
                None => table.insert(Self::of(object.keys().cloned().collect())?),
            };
            if let Some(more) = object.keys().find(|key| table.column(key).is_none()) {
                return Err(format!("{place} has “{more}”, which the first object does not have"));
            }
            for at in 0..table.columns.len() {
                let Some(value) = object.get(&table.columns[at]) else {
                    return Err(format!("{place} has no “{}”", table.columns[at]));
                };
                let text = text_of(value).ok_or_else(|| format!("{place} has a text that is no Unicode"))?;
                table.add_value(&text);
            }
            table.check_rows()?;
        }
        table.ok_or_else(|| "the file has no rows".to_owned())?.whole()
    }

    fn of(columns: Vec<String>) -> Result<Self, String> {
        if columns.iter().all(String::is_empty) {
            return Err("the file names no columns; its first line should have the names".to_owned());
        }
        if columns.len() > DATA_COLUMNS_MAX {
            return Err(format!(
                "the file has {} columns; at most {DATA_COLUMNS_MAX} are read",
                columns.len()
            ));
        }
        for (at, name) in columns.iter().enumerate() {
            if columns[..at].contains(name) {
                return Err(format!("line 1 names the column “{name}” twice"));
            }
        }
        Ok(Self { columns, text: String::new(), ends: Vec::new() })
    }

    fn add_value(&mut self, value: &str) {
        self.text.push_str(value);
        self.ends.push(self.text.len());
    }

    fn check_rows(&self) -> Result<(), String> {
        if self.len() > DATA_ROWS_MAX {
            Err("the file has more than 1 000 000 rows".to_owned())
        } else {
            Ok(())
        }
    }

    fn whole(mut self) -> Result<Self, String> {
        if self.ends.is_empty() {
            return Err("the file has no rows".to_owned());
        }
        self.text.shrink_to_fit();
        self.ends.shrink_to_fit();
        Ok(self)
    }

    pub(super) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The place of a column.
    pub(super) fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column == name)
    }

    /// How many rows there are.
    pub(super) fn len(&self) -> usize {
        self.ends.len() / self.columns.len()
    }

    /// Row number `at`, from 0; from the first again after the last.
    pub(super) fn row(&self, at: usize) -> Row<'_> {
        Row { table: self, first: at % self.len() * self.columns.len() }
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        (0..self.len()).map(|at| self.row(at))
    }
}

impl<'a> Row<'a> {
    /// The value in column `at`.
    pub(super) fn value(self, at: usize) -> &'a str {
        let at = self.first + at;
        let from = if at == 0 { 0 } else { self.table.ends[at - 1] };
        &self.table.text[from..self.table.ends[at]]
    }
}

/// The members of an object, as they are written.
fn object(row: &RawValue) -> Option<BTreeMap<String, Box<RawValue>>> {
    serde_json::from_str(row.get()).ok()
}

/// What stands for a value: nothing for null, a string without its quotation marks, all else as it is written, so that
/// numbers keep their digits. None for a string that stands for no text.
fn text_of(value: &RawValue) -> Option<String> {
    match value.get() {
        "null" => Some(String::new()),
        text if text.starts_with('"') => serde_json::from_str(text).ok(),
        text => Some(text.to_owned()),
    }
}

fn csv_words(error: &csv::Error) -> String {
    let line = error.position().map_or(1, csv::Position::line);
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("line {line} has {len} values; the first line names {expected_len} columns")
        }
        csv::ErrorKind::Utf8 { .. } => format!("line {line} is not UTF-8 text"),
        // Its own words may hold a piece of the file.
        _ => format!("line {line} cannot be read"),
    }
}

fn json_words(error: &serde_json::Error, lines_before: usize) -> String {
    let what = match error.classify() {
        serde_json::error::Category::Eof => "ends too early",
        _ => "is not JSON",
    };
    format!("line {} {what} (column {})", lines_before + error.line(), error.column())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(table: &Table) -> Vec<Vec<&str>> {
        table.rows().map(|row| (0..table.columns().len()).map(|at| row.value(at)).collect()).collect()
    }

    #[test]
    fn csv_and_json_are_the_same_rows() {
        let csv = Table::from_csv("\u{feff}a, b\n1,x\n\"2\n\",\"y, \"\"z\"\"\"\n".as_bytes()).expect("csv");
        assert_eq!(csv.columns(), ["a", "b"]);
        assert_eq!(rows(&csv), [["1", "x"], ["2\n", "y, \"z\""]]);
        assert_eq!(csv.row(3).value(1), "y, \"z\"");
        for text in [
            "{\"b\": \"x\", \"a\": 1}\n\n{\"a\": true, \"b\": null}\n",
            "\u{feff} [{\"a\": 1, \"b\": \"x\"},\n {\"b\": null, \"a\": true}]",
        ] {
            let json = Table::from_json(text.as_bytes()).expect(text);
            assert_eq!(
                (json.columns(), rows(&json)),
                (csv.columns(), vec![vec!["1", "x"], vec!["true", ""]])
            );
        }
        let nested = Table::from_json(b"{\"a\": [1, {\"b\": 2}]}").expect("json");
        assert_eq!(rows(&nested), [["[1, {\"b\": 2}]"]]);
        let numbers = b"{\"a\": 12345678901234567890123, \"b\": 1.10, \"c\": -1.5e3}";
        let numbers = Table::from_json(numbers).expect("numbers");
        assert_eq!(rows(&numbers), [["12345678901234567890123", "1.10", "-1.5e3"]]);
        let inches = Table::from_csv(b"a,b\n1,5\"\n2,x\n").expect("a mark within a value");
        assert_eq!(rows(&inches), [["1", "5\""], ["2", "x"]]);
        let last = Table::from_csv(b"a,b\n1,5\"\n2,\"x\ny\"\n").expect("and a sound one at the end");
        assert_eq!(rows(&last), [["1", "5\""], ["2", "x\ny"]]);
    }

    #[test]
    fn what_is_wrong_names_its_line_and_no_value() {
        for (text, words) in [
            ("", "no columns"),
            ("a,b\n", "no rows"),
            ("a,a\n1,2\n", "“a” twice"),
            ("a,b\n1,2\n3\n", "line 3 has 1 values"),
            ("a,b\n1,2\n3,4,CANARY\n", "line 3 has 3 values"),
            ("a,b\n1,x\n2,\"CANARY\n3,c\n4,d\n", "line 3 begins a value with a quotation mark"),
        ] {
            let told = Table::from_csv(text.as_bytes()).expect_err(text);
            assert!(told.contains(words) && !told.contains("CANARY"), "{text}: {told}");
        }
        assert!(Table::from_csv(b"a\nb\n\xff\n").expect_err("bytes").contains("line 3 is not UTF-8"));
        let wide = vec!["a"; DATA_COLUMNS_MAX + 1].join("x,");
        assert!(Table::from_csv(wide.as_bytes()).expect_err("wide").contains("257 columns"));
        for (text, words) in [
            ("", "no rows"),
            ("[]", "no rows"),
            ("{}", "no columns"),
            ("{\"a\": 1}\n{\"a\": CANARY}\n", "line 2 is not JSON (column 7)"),
            ("{\"a\": 1}\n{\"a\": 1", "line 2 ends too early"),
            ("{\"a\": 1}\n[\"CANARY\"]", "line 2 is no JSON object"),
            ("{\"a\": \"CANARY\\ud800\"}", "line 1 has a text that is no Unicode"),
            ("{\"a\": 1}\n{\"b\": \"CANARY\", \"a\": 1}", "line 2 has “b”"),
            ("[{\"a\": 1, \"b\": 2}, {\"a\": \"CANARY\"}]", "object 2 has no “b”"),
            ("[{\"a\": 1},\nCANARY]", "line 2 is not JSON"),
        ] {
            let told = Table::from_json(text.as_bytes()).expect_err(text);
            assert!(told.contains(words) && !told.contains("CANARY"), "{text}: {told}");
        }
    }

    #[test]
    fn a_file_is_read_by_its_name_and_up_to_its_limit() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("a file");
            path
        };
        for (name, text) in [("a.csv", "a\n1\n"), ("a.txt", "a\n1\n"), ("a.JSONL", "{\"a\": 1}")] {
            assert_eq!(rows(&Table::read(&write(name, text)).expect(name)), [["1"]]);
        }
        let large = write("large.csv", "a\n");
        let file = std::fs::OpenOptions::new().write(true).open(&large).expect("a file");
        file.set_len(DATA_BYTES_MAX + 1).expect("a sparse file");
        assert!(Table::read(&large).expect_err("too large").contains("64 MiB"));
        Table::read(&folder.path().join("missing.csv")).expect_err("there is none");
        let many = "a\n".to_owned() + &"1\n".repeat(DATA_ROWS_MAX + 1);
        assert!(Table::from_csv(many.as_bytes()).expect_err("many").contains("more than 1 000 000"));
    }
}
