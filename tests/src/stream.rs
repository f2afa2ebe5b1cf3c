//! Server-sent events as a browser reads them (HTML, "Server-sent events").

use reqwest::{RequestBuilder, Response};
use serde_json::Value;

use crate::http::Answer;

/// A stream of events that is being read. Dropping it closes the connection.
#[derive(Debug)]
pub struct Stream {
    response: Response,
    read: Vec<u8>,
}

/// What stands between two empty lines of a stream.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Block {
    /// The new last event id.
    pub id: Option<String>,
    /// Name of the event.
    pub name: Option<String>,
    /// Its data, as JSON; a block without data is no event.
    pub data: Option<Value>,
    /// A comment.
    pub comment: Option<String>,
}

impl Stream {
    /// Begins to read.
    ///
    /// # Errors
    /// The answer, when it is no stream.
    ///
    /// # Panics
    /// When no answer comes.
    pub async fn open(request: RequestBuilder) -> Result<Self, Answer> {
        let response = request.send().await.unwrap_or_else(|error| panic!("no answer: {error:?}"));
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let is_stream = headers.get("content-type").is_some_and(|value| value == "text/event-stream");
        if status == 200 && is_stream {
            return Ok(Self { response, read: Vec::new() });
        }
        let body = response.bytes().await.unwrap_or_else(|error| panic!("no answer: {error:?}")).to_vec();
        Err(Answer { status, headers, body })
    }

    /// The next block; `None` at the end, however the stream ends.
    pub async fn block(&mut self) -> Option<Block> {
        loop {
            if let Some(end) = self.read.windows(2).position(|two| two == b"\n\n") {
                let block: Vec<u8> = self.read.drain(..end + 2).collect();
                return Some(Block::read(&String::from_utf8(block).expect("text")));
            }
            let more = self.response.chunk().await.ok().flatten()?;
            self.read.extend_from_slice(&more);
        }
    }

    /// The next event, whatever comments come before it.
    ///
    /// # Panics
    /// When the stream ends, or the event has another name.
    pub async fn event(&mut self, name: &str) -> Block {
        loop {
            let block = self.block().await.unwrap_or_else(|| panic!("the stream ended before {name}"));
            if block.data.is_some() {
                assert_eq!(block.name.as_deref(), Some(name), "{block:?}");
                return block;
            }
        }
    }
}

impl Block {
    fn read(text: &str) -> Self {
        let mut block = Self::default();
        for line in text.lines() {
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "id" => block.id = Some(value.to_owned()),
                "event" => block.name = Some(value.to_owned()),
                "data" => block.data = Some(serde_json::from_str(value).expect("JSON")),
                "" => block.comment = Some(value.to_owned()),
                "retry" => assert!(value.parse::<u32>().is_ok(), "{line}"),
                other => assert!(other.is_empty(), "an unknown field: {line}"),
            }
        }
        block
    }

    /// Its id.
    ///
    /// # Panics
    /// When it has none.
    pub fn id(&self) -> &str {
        self.id.as_deref().unwrap_or_else(|| panic!("no id: {self:?}"))
    }

    /// A member of the data, as text; empty when there is none.
    pub fn text(&self, member: &str) -> &str {
        self.data.as_ref().and_then(|data| data[member].as_str()).unwrap_or_default()
    }
}
