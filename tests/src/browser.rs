//! A person's browser, as far as sign-in and consent need one: redirects, cookies, and forms without JavaScript.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use chancery_wallet::FrontChannel;
use reqwest::Method;
use reqwest::header::{COOKIE, HeaderMap, LOCATION, SET_COOKIE};
use url::Url;

use crate::http::{Answer, Http};
use crate::identity_provider::IdentityProvider;
use crate::wallet::Wallet;

/// Most pages and redirects on the way.
const LONGEST_WAY: usize = 30;

/// A browser with its cookies. It gives the same answers to every form: see [`Browser::filling`].
#[derive(Debug)]
pub struct Browser {
    http: Http,
    /// By host and port, then by name.
    cookies: Mutex<HashMap<String, HashMap<String, String>>>,
    filling: Vec<(String, String)>,
    leaving_by: Option<String>,
}

impl Browser {
    /// With no cookies, pressing the first button of each form.
    pub fn new(http: Http) -> Self {
        Self { http, cookies: Mutex::default(), filling: Vec::new(), leaving_by: None }
    }

    /// Fills every field, or presses every button, of this name with this value.
    #[must_use]
    pub fn filling(mut self, name: &str, value: &str) -> Self {
        self.filling.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Goes by the link whose address ends like this, where a page has one, instead of sending its form.
    #[must_use]
    pub fn leaving_by(mut self, end: &str) -> Self {
        self.leaving_by = Some(end.to_owned());
        self
    }

    /// This browser as the front channel of the built-in wallet. Where the person is sent to `provider`, they sign in there.
    pub fn front_channel(self, provider: Option<Arc<IdentityProvider>>) -> FrontChannel {
        let browser = Arc::new(self);
        FrontChannel::new(Wallet::REDIRECT_URI, move |url| {
            let (browser, provider) = (Arc::clone(&browser), provider.clone());
            async move {
                let url = match provider {
                    Some(provider) => provider.sign_in(&browser.follow(&url, &provider.issuer()).await),
                    None => url,
                };
                Ok(browser.follow(&url, Wallet::REDIRECT_URI).await)
            }
        })
    }

    /// Opens `url`, follows redirects and submits the first form of each page, until it is sent to a URL that begins with
    /// `end`. Answers that URL, which is not fetched.
    ///
    /// # Panics
    /// When the way ends elsewhere, with the page it ended on.
    pub async fn follow(&self, url: &str, end: &str) -> String {
        let mut step = Step { method: Method::GET, url: Url::parse(url).expect("a URL"), form: None };
        for _ in 0..LONGEST_WAY {
            let answer = self.open(&step).await;
            let next = match answer.headers.get(LOCATION) {
                Some(location) if (300..400).contains(&answer.status) => {
                    let location = location.to_str().expect("a location in ASCII");
                    if location.starts_with(end) {
                        return location.to_owned();
                    }
                    Step::get(step.url.join(location).expect("a location"))
                }
                _ => {
                    let page = answer.text();
                    self.leave(&step.url, &page)
                        .or_else(|| self.submit(&step.url, &page))
                        .unwrap_or_else(|| panic!("no form to go on at {}: {answer}", step.url))
                }
            };
            step = next;
        }
        panic!("{url} leads nowhere: last to {}", step.url)
    }

    async fn open(&self, step: &Step) -> Answer {
        let place = step.url[url::Position::BeforeHost..url::Position::AfterPort].to_owned();
        let mut request = self.http.request(step.method.clone(), step.url.as_str());
        let origin = step.url.origin().ascii_serialization();
        if let Some(form) = &step.form {
            request = request.form(form).header("origin", &origin).header("sec-fetch-site", "same-origin");
        }
        let cookies = self.cookies.lock().expect("the lock").get(&place).cloned().unwrap_or_default();
        if !cookies.is_empty() {
            let pairs: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header(COOKIE, pairs.join("; "));
        }
        let answer = self.http.send(request.header("accept", "text/html")).await;
        self.keep(&place, &answer.headers);
        answer
    }

    fn keep(&self, place: &str, headers: &HeaderMap) {
        let mut all = self.cookies.lock().expect("the lock");
        let known = all.entry(place.to_owned()).or_default();
        for cookie in headers.get_all(SET_COOKIE) {
            let cookie = cookie.to_str().expect("a cookie in ASCII");
            let (name, value) = cookie.split(';').next().and_then(|pair| pair.split_once('=')).expect("a cookie");
            if value.is_empty() || cookie.to_ascii_lowercase().contains("max-age=0") {
                known.remove(name.trim());
            } else {
                known.insert(name.trim().to_owned(), value.trim().to_owned());
            }
        }
    }

    /// The link to leave by, when the page has it.
    fn leave(&self, page_url: &Url, page: &str) -> Option<Step> {
        let end = self.leaving_by.as_ref()?;
        let mut addresses = page.split("<a").skip(1).filter_map(|tag| attribute(tag.split('>').next()?, "href"));
        let address = addresses.find(|address| address.ends_with(end.as_str()))?;
        page_url.join(&address).ok().map(Step::get)
    }

    /// The first form of a page, filled.
    fn submit(&self, page_url: &Url, page: &str) -> Option<Step> {
        let (_, rest) = page.split_once("<form")?;
        let (head, rest) = rest.split_once('>')?;
        let body = rest.split("</form").next()?;
        let mut fields: Vec<(String, String)> = Vec::new();
        let mut pressed = false;
        for tag in body.split('<').skip(1) {
            let (tag, _) = tag.split_once('>')?;
            let is_button = tag.starts_with("button") || attribute(tag, "type").as_deref() == Some("submit");
            if !is_button && !tag.starts_with("input") && !tag.starts_with("select") {
                continue;
            }
            let Some(name) = attribute(tag, "name") else { continue };
            let given = self.filling.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
            let value = attribute(tag, "value").unwrap_or_default();
            if is_button {
                if !pressed && given.as_ref().is_none_or(|given| *given == value) {
                    fields.push((name, value));
                    pressed = true;
                }
            } else {
                fields.push((name, given.unwrap_or(value)));
            }
        }
        let action = attribute(head, "action").unwrap_or_default();
        let mut url = page_url.join(&action).ok()?;
        if attribute(head, "method").is_some_and(|method| method.eq_ignore_ascii_case("post")) {
            return Some(Step { method: Method::POST, url, form: Some(fields) });
        }
        url.query_pairs_mut().clear().extend_pairs(fields);
        Some(Step::get(url))
    }
}

#[derive(Debug)]
struct Step {
    method: Method,
    url: Url,
    form: Option<Vec<(String, String)>>,
}

impl Step {
    fn get(url: Url) -> Self {
        Self { method: Method::GET, url, form: None }
    }
}

/// The value of an attribute in double quotes, with the five entities that templates write.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let start = tag.find(&format!(" {name}=\""))? + name.len() + 3;
    let value = tag[start..].split('"').next()?;
    let plain = [("&#x2F;", "/"), ("&#x27;", "'"), ("&#38;", "&"), ("&#34;", "\""), ("&#39;", "'"), ("&#60;", "<")];
    let more = [("&quot;", "\""), ("&lt;", "<"), ("&gt;", ">"), ("&#62;", ">"), ("&amp;", "&")];
    Some(plain.iter().chain(&more).fold(value.to_owned(), |text, (entity, one)| text.replace(entity, one)))
}
