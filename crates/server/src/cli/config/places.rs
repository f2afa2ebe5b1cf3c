//! From a JSON Pointer to the line of a file.

use serde_json::Value;

/// The line (from 1) of the value at `pointer` in `text`, which is JSON; of what is nearest above it when nothing is there.
pub(super) fn line(text: &str, pointer: &str) -> usize {
    let segments: Vec<String> =
        pointer.split('/').skip(1).map(|segment| segment.replace("~1", "/").replace("~0", "~")).collect();
    let offset = Scanner { text, at: 0 }.find(&segments);
    text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count() + 1
}

/// Walks over JSON that was read before.
struct Scanner<'t> {
    text: &'t str,
    at: usize,
}

impl Scanner<'_> {
    fn find(mut self, segments: &[String]) -> usize {
        let mut nearest = self.begin();
        for segment in segments {
            match self.enter(segment) {
                Some(place) => nearest = place,
                None => return nearest,
            }
        }
        nearest
    }

    /// Goes to the value of the member, or to the element, `segment` of what stands here.
    fn enter(&mut self, segment: &str) -> Option<usize> {
        match self.peek()? {
            b'{' => {
                self.at += 1;
                loop {
                    let place = self.begin();
                    let end = self.pass_string()?;
                    let name = self.text.get(place..end)?;
                    let found = serde_json::from_str::<Value>(name).ok()?.as_str() == Some(segment);
                    self.begin();
                    self.at += 1;
                    self.begin();
                    if found {
                        return Some(place);
                    }
                    self.next_after_value()?;
                }
            }
            b'[' => {
                self.at += 1;
                let wanted: usize = segment.parse().ok()?;
                for _ in 0..wanted {
                    self.begin();
                    self.next_after_value()?;
                }
                let place = self.begin();
                (self.peek()? != b']').then_some(place)
            }
            _ => None,
        }
    }

    /// Passes a value and the comma behind it; `None` at the end of what holds it.
    fn next_after_value(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match self.peek()? {
                b'"' => {
                    self.pass_string()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' if depth == 0 => return None,
                b'}' | b']' => depth -= 1,
                b',' if depth == 0 => {
                    self.at += 1;
                    return Some(());
                }
                _ => {}
            }
            self.at += 1;
        }
    }

    /// Passes the string that begins here and answers where it ends.
    fn pass_string(&mut self) -> Option<usize> {
        self.peek().filter(|byte| *byte == b'"')?;
        self.at += 1;
        loop {
            match self.peek()? {
                b'\\' => self.at += 2,
                b'"' => {
                    self.at += 1;
                    return Some(self.at);
                }
                _ => self.at += 1,
            }
        }
    }

    /// Passes white space.
    fn begin(&mut self) -> usize {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
        self.at
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::line;

    const TEXT: &str =
        "{\n \"a\": 1,\n \"b/c\": [\n  {\"x\": \"}\\\"]\"},\n  {\n   \"y\": [1, 2],\n   \"z\": 3 }\n ]\n}";

    #[test]
    fn a_pointer_has_a_line() {
        for (pointer, expected) in [
            ("", 1),
            ("/a", 2),
            ("/b~1c", 3),
            ("/b~1c/0", 4),
            ("/b~1c/0/x", 4),
            ("/b~1c/1", 5),
            ("/b~1c/1/y/1", 6),
            ("/b~1c/1/z", 7),
        ] {
            assert_eq!(line(TEXT, pointer), expected, "{pointer}");
        }
    }

    #[test]
    fn what_is_not_there_has_the_line_of_what_should_hold_it() {
        for (pointer, expected) in [("/none", 1), ("/a/deeper", 2), ("/b~1c/7", 3), ("/b~1c/1/w", 5), ("/b~1c/x", 3)] {
            assert_eq!(line(TEXT, pointer), expected, "{pointer}");
        }
    }
}
