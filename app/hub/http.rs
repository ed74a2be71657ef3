//! Requests to the hub: who asks, through which proxy, what an answer's status means, and when to ask again.

use super::stop::Stop;
use super::token::Token;
use super::{Problem, Result, variable};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};
use ureq::http::{HeaderMap, Response, StatusCode, Uri};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body, Proxy};

const HUB: &str = "https://huggingface.co";
/// A connection that stays silent this long is given up, where `HF_HUB_DOWNLOAD_TIMEOUT` does not say otherwise.
const PATIENCE: Duration = Duration::from_secs(30);
/// Of redirections in a row.
const MOST_REDIRECTIONS: usize = 8;
/// The wait before the second try; it doubles with every further one.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// A server that asks for more patience than this is not waited for.
const LONGEST_ASKED: Duration = Duration::from_secs(15 * 60);

/// What is asked about, for sentences.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// `ORG/NAME`.
    pub id: &'a str,
    /// A branch, a tag or a commit.
    pub revision: &'a str,
    /// A file of it.
    pub file: Option<&'a str>,
}

/// Why a request gave nothing.
#[derive(Debug)]
pub enum Trouble {
    /// It may work a little later.
    Again {
        /// "HOST answered 503", to be put into a sentence.
        why: String,
        /// What the server asks for.
        after: Option<Duration>,
    },
    /// It will not.
    Final(Problem),
}

/// An answer, and where it came from in the end.
pub struct Answer {
    /// Status 200 or 206, headers, body.
    pub response: Response<Body>,
    /// The address behind all redirections.
    pub url: String,
    /// Headers of the hub's own answer, where it sent elsewhere.
    pub first: HeaderMap,
}

/// Asks the hub.
pub struct Client {
    agent: Agent,
    endpoint: String,
    token: Option<Token>,
    retries: u32,
    stop: Stop,
    note: Box<dyn Fn(&str) + Sync + Send>,
    noted: AtomicBool,
}

impl Client {
    /// As the variables of the environment have it; `stop` ends its requests, `note` is told of waits.
    ///
    /// # Errors
    /// If a variable holds no address.
    pub fn new(
        token: Option<Token>,
        retries: u32,
        stop: &Stop,
        note: Box<dyn Fn(&str) + Sync + Send>,
    ) -> Result<Client> {
        let endpoint = variable("HF_ENDPOINT").unwrap_or_else(|| HUB.into());
        let endpoint = endpoint.trim_end_matches('/').to_string();
        let uri = endpoint.parse::<Uri>().ok().filter(|uri| uri.host().is_some());
        let Some(secure) = uri.and_then(|uri| match uri.scheme_str() {
            Some("https") => Some(true),
            Some("http") => Some(false),
            _ => None,
        }) else {
            return Err(Problem::Asked(format!("HF_ENDPOINT is {endpoint:?}, expected an address such as {HUB}")));
        };
        let patience = patience()?;
        let config = Agent::config_builder()
            .user_agent(concat!("percept/", env!("CARGO_PKG_VERSION")))
            .http_status_as_error(false)
            // Followed here: the token goes to the hub alone, and a file's own address is used again.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build())
            .proxy(proxy(secure)?)
            .timeout_resolve(Some(patience))
            .timeout_connect(Some(patience))
            .timeout_send_request(Some(patience))
            .timeout_recv_response(Some(patience))
            .timeout_per_read(Some(patience))
            .build();
        let agent = config.new_agent();
        stop.ends(&agent);
        Ok(Client { agent, endpoint, token, retries, stop: stop.clone(), note, noted: AtomicBool::new(false) })
    }

    /// The address of a page of the hub; `parts` are encoded, also the slashes in them.
    pub fn url(&self, parts: &[&str]) -> String {
        parts.iter().fold(self.endpoint.clone(), |url, part| url + "/" + &encoded(part))
    }

    /// The hub's name.
    pub fn host(&self) -> String {
        host(&self.endpoint)
    }

    /// What ends everything.
    pub fn stop(&self) -> &Stop {
        &self.stop
    }

    /// Whether there is a token to show.
    pub fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// One request, with all its redirections.
    ///
    /// # Errors
    /// What is in the way, and whether to try again.
    pub fn get(&self, url: &str, range: Option<Range<u64>>, about: About<'_>) -> Result<Answer, Trouble> {
        let (mut url, mut first) = (url.to_string(), None);
        for _ in 0..MOST_REDIRECTIONS {
            let mut request = self.agent.get(&url);
            if let Some(range) = &range {
                request = request.header("Range", format!("bytes={}-{}", range.start, range.end - 1));
            }
            if let Some(token) = self.token.as_ref().filter(|_| origin(&url) == origin(&self.endpoint)) {
                request = request.header("Authorization", format!("Bearer {}", token.secret));
            }
            let response = request.call().map_err(|error| self.lost(&url, &error))?;
            let status = response.status();
            if status.is_redirection() {
                let to = header(response.headers(), "location").and_then(|to| resolved(&url, to));
                let Some(to) = to.filter(|to| to.starts_with("https://") || !self.endpoint.starts_with("https://"))
                else {
                    let problem = format!("{} sent on to nowhere that can be followed", host(&url));
                    return Err(Trouble::Final(Problem::Machine(problem)));
                };
                first.get_or_insert_with(|| response.headers().clone());
                url = to;
            } else if status == StatusCode::OK || status == StatusCode::PARTIAL_CONTENT {
                let first = first.unwrap_or_else(|| response.headers().clone());
                return Ok(Answer { response, url, first });
            } else {
                return Err(self.refused(&url, status, response.headers(), about));
            }
        }
        Err(Trouble::Final(Problem::Machine(format!("{} sends on in circles", host(&url)))))
    }

    /// Does `attempt` until it works, will never work, or has failed too often.
    ///
    /// # Errors
    /// The sentence of the last failure.
    pub fn persistently<T>(&self, mut attempt: impl FnMut() -> Result<T, Trouble>) -> Result<T> {
        let mut tries = Tries::default();
        loop {
            match attempt() {
                Ok(value) => return Ok(value),
                Err(trouble) => tries.wait(self, trouble, &AtomicBool::new(false))?,
            }
        }
    }

    /// A connection that was not made or broke.
    pub fn lost(&self, url: &str, error: &ureq::Error) -> Trouble {
        let host = host(url);
        // What the system's own verifier says comes as an error of reading.
        let untrusted = |error: &std::io::Error| error.to_string().contains("certificate");
        let why = match error {
            ureq::Error::Io(error) if untrusted(error) => return unsafe_connection(&host, error),
            ureq::Error::Rustls(_) | ureq::Error::Tls(_) | ureq::Error::Pem(_) => {
                return unsafe_connection(&host, error);
            }
            ureq::Error::HostNotFound => format!("{host} was not found"),
            ureq::Error::Timeout(_) => format!("{host} stayed silent"),
            ureq::Error::ConnectProxyFailed(reason) => format!("the proxy did not connect to {host} ({reason})"),
            error => format!("the connection to {host} failed ({error})"),
        };
        Trouble::Again { why, after: None }
    }

    /// What a status other than success means.
    fn refused(&self, url: &str, status: StatusCode, headers: &HeaderMap, about: About<'_>) -> Trouble {
        let host = host(url);
        if matches!(status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504) {
            let reason = status.canonical_reason().unwrap_or("try later");
            let why = format!("{host} answered {} ({reason})", status.as_u16());
            return Trouble::Again { why, after: header(headers, "retry-after").and_then(seconds) };
        }
        let About { id, revision, file } = about;
        let code = header(headers, "x-error-code").unwrap_or_default();
        let told = header(headers, "x-error-message").map(|told| format!(" ({told})")).unwrap_or_default();
        Trouble::Final(match (status.as_u16(), code) {
            (401 | 403, "GatedRepo") => self.gated(id),
            (401 | 403 | 404, "RepoNotFound") | (404, "") if file.is_none() => self.unknown(id),
            (404, "RevisionNotFound") => {
                let page = self.url(&[]) + "/" + id;
                Problem::Asked(format!("{id} has no revision {revision:?}; see {page}/tree/main for branches and tags"))
            }
            (404, _) => {
                let what = file.map_or_else(String::new, |file| format!("file {file} in "));
                Problem::Asked(format!("{host} has no {what}{id} at revision {revision:?}{told}"))
            }
            (401 | 403, _) => match &self.token {
                Some(token) => Problem::Asked(format!(
                    "{host} refused the token from {} for {id} (status {}){told}: it is not valid, or may not read this model; make one \
                     that may read at {HUB}/settings/tokens",
                    token.from,
                    status.as_u16()
                )),
                None => self.unknown(id),
            },
            (416, _) => Problem::Machine(format!(
                "{host} has fewer bytes of {} than the hub says of it; try again later",
                file.unwrap_or(id)
            )),
            (status, _) => Problem::Machine(format!("{host} answered {status} for {}{told}", file.unwrap_or(id))),
        })
    }

    /// A model that is there for those who accepted its terms.
    pub fn gated(&self, id: &str) -> Problem {
        let page = format!("{}/{id}", self.endpoint);
        let file = Token::file().map_or("the token file".into(), |file| file.display().to_string());
        Problem::Asked(match &self.token {
            None => format!(
                "{id} is gated: its publisher wants terms to be accepted. Sign in and accept them at {page}, make a token that may read \
                 at {HUB}/settings/tokens, and put it into the variable HF_TOKEN or the file {file}; then pull again"
            ),
            Some(token) => format!(
                "{id} is gated, and the account of the token from {} may not read it: sign in with that account, accept the terms at \
                 {page} (some publishers then have to agree), see that a fine-grained token includes gated models, and pull again",
                token.from
            ),
        })
    }

    fn unknown(&self, id: &str) -> Problem {
        let host = self.host();
        Problem::Asked(match &self.token {
            None => format!(
                "{host} has no model {id}, or a private one that needs a token (variable HF_TOKEN); look for the name at {HUB}/models, or \
                 see `percept models catalogue`"
            ),
            Some(token) => format!(
                "{host} has no model {id} that the token from {} may read; look for the name at {HUB}/models, or see \
                 `percept models catalogue`",
                token.from
            ),
        })
    }
}

/// Trying again does not make a certificate better.
fn unsafe_connection(host: &str, error: &dyn std::error::Error) -> Trouble {
    Trouble::Final(Problem::Machine(format!(
        "no safe connection to {host}: {error}; if a proxy opens connections here, its certificate must be among the system's (or in the \
         file that SSL_CERT_FILE names)"
    )))
}

/// Counts failures in a row.
#[derive(Default)]
pub struct Tries(u32);

impl Tries {
    /// Something worked.
    pub fn forget(&mut self) {
        self.0 = 0;
    }

    /// Waits until it is worth trying again, or until `stop`.
    ///
    /// # Errors
    /// If it is not worth it, was tried often enough, or everything shall end.
    pub fn wait(&mut self, client: &Client, trouble: Trouble, stop: &AtomicBool) -> Result<()> {
        // Which is why this request failed.
        if client.stop.is_asked() {
            return Err(Problem::Stopped);
        }
        let (why, after) = match trouble {
            Trouble::Final(problem) => return Err(problem),
            Trouble::Again { why, after } => (why, after),
        };
        if let Some(after) = after.filter(|after| *after > LONGEST_ASKED) {
            let minutes = after.as_secs().div_ceil(60);
            return Err(Problem::Machine(format!(
                "{why} and asks for a pause of {minutes} minutes; pull again then, which goes on where this stopped"
            )));
        }
        if self.0 >= client.retries {
            let network = if why.contains(" answered ") { "" } else { "check the network and HTTPS_PROXY, then " };
            let times = if self.0 == 0 { String::new() } else { format!(", {} times in a row", self.0 + 1) };
            return Err(Problem::Machine(format!(
                "{why}{times}; {network}pull again later, which goes on where this stopped"
            )));
        }
        let own = FIRST_WAIT.saturating_mul(1 << self.0.min(10)).min(LONGEST_WAIT);
        let pause = after.unwrap_or(own);
        self.0 += 1;
        // Parallel connections meet the same trouble; one note does for all.
        if pause >= Duration::from_secs(1) && !client.noted.swap(true, Ordering::Relaxed) {
            (client.note)(&format!("{why}; trying again in {:.0} s", pause.as_secs_f64()));
        }
        let until = std::time::Instant::now() + pause;
        while !stop.load(Ordering::Relaxed) {
            if client.stop.is_asked() {
                return Err(Problem::Stopped);
            }
            let left = until.saturating_duration_since(std::time::Instant::now());
            if left.is_zero() {
                break;
            }
            std::thread::sleep(left.min(Duration::from_millis(50)));
        }
        Ok(())
    }
}

/// The silence that is borne.
fn patience() -> Result<Duration> {
    let name = "HF_HUB_DOWNLOAD_TIMEOUT";
    let Some(value) = variable(name) else { return Ok(PATIENCE) };
    let seconds = value.parse::<u32>().ok().filter(|seconds| *seconds > 0);
    let problem = || Problem::Asked(format!("{name} is {value:?}, expected whole seconds, at least 1"));
    seconds.map(|seconds| Duration::from_secs(seconds.into())).ok_or_else(problem)
}

/// A header as text.
pub fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// `Retry-After`: seconds, or a date.
fn seconds(text: &str) -> Option<Duration> {
    match text.trim().parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => {
            httpdate::parse_http_date(text).ok().map(|at| at.duration_since(SystemTime::now()).unwrap_or_default())
        }
    }
}

/// The proxy for the endpoint's kind of address: the variable of its scheme, or `ALL_PROXY`.
fn proxy(secure: bool) -> Result<Option<Proxy>> {
    let names = match secure {
        true => ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"],
        false => ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"],
    };
    let Some((name, value)) = names.into_iter().find_map(|name| Some((name, variable(name)?))) else { return Ok(None) };
    // An address with a password is not repeated.
    let problem = |_| {
        Problem::Asked(format!("{name} holds no address of a proxy; expected http://HOST:PORT or socks5://HOST:PORT"))
    };
    let parsed = Proxy::new(&value).map_err(problem)?;
    let mut builder = Proxy::builder(parsed.protocol()).host(parsed.host()).port(parsed.port());
    if let Some(user) = parsed.username() {
        builder = builder.username(user);
    }
    if let Some(password) = parsed.password() {
        builder = builder.password(password);
    }
    let exempt = variable("NO_PROXY").or_else(|| variable("no_proxy")).unwrap_or_default();
    for host in exempt.split([',', ' ']).map(str::trim).filter(|host| !host.is_empty()) {
        builder = builder.no_proxy(host);
        // As other programs have it, a name means what is below it too.
        if !host.starts_with(['.', '*']) {
            builder = builder.no_proxy(&format!(".{host}"));
        }
    }
    builder.build().map(Some).map_err(problem)
}

/// Scheme, host and port.
fn origin(url: &str) -> &str {
    let start = url.find("://").map_or(0, |at| at + 3);
    url[start..].find('/').map_or(url, |end| &url[..start + end])
}

fn host(url: &str) -> String {
    url.parse::<Uri>().ok().and_then(|uri| Some(uri.authority()?.as_str().to_string())).unwrap_or_else(|| url.into())
}

/// Where a redirection leads.
fn resolved(from: &str, to: &str) -> Option<String> {
    if to.starts_with("https://") || to.starts_with("http://") {
        Some(to.into())
    } else if to.starts_with('/') && !to.starts_with("//") {
        Some(format!("{}{to}", origin(from)))
    } else {
        None
    }
}

/// A part of a path as addresses have it.
fn encoded(part: &str) -> String {
    let mut text = String::new();
    for byte in part.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => text.push(byte.into()),
            _ => text += &format!("%{byte:02X}"),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        assert_eq!(origin("https://a.b:1/c/d"), "https://a.b:1");
        assert_eq!(origin("http://a"), "http://a");
        assert_eq!(resolved("https://a/b", "/c?d").unwrap(), "https://a/c?d");
        assert_eq!(resolved("https://a/b", "https://x/y").unwrap(), "https://x/y");
        assert_eq!(resolved("https://a/b", "//x/y"), None);
        assert_eq!(encoded("refs/pr/1 ä"), "refs%2Fpr%2F1%20%C3%A4");
        assert_eq!(host("http://127.0.0.1:80/x"), "127.0.0.1:80");
    }

    #[test]
    fn pauses_that_servers_ask_for() {
        assert_eq!(seconds("7"), Some(Duration::from_secs(7)));
        assert_eq!(seconds("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        let later = SystemTime::now() + Duration::from_secs(100);
        assert!(seconds(&httpdate::fmt_http_date(later)).unwrap() > Duration::from_secs(90));
        assert_eq!(seconds("soon"), None);
    }
}
