//! Chat templates: how a model that was trained on conversations has them written.
//!
//! A template is a program in a file from outside: it is rendered with a limit of instructions and
//! of what it may write, and the date that some ask for is always the same, so that a prompt of
//! today is that of tomorrow.

use std::io;

use minijinja::value::{Kwargs, Value, ValueKind};
use minijinja::{Environment, Error as Jinja, ErrorKind, Output, State};
use serde_json::json;

use super::{beside, python_json};
use crate::error::{Error, Result};
use crate::guard::guarded;

/// The longest template that is read; the longest known have some 20 KB.
const SOURCE: usize = 1 << 16;

/// Room for the calls of a parser that descends into every bracket of the longest template.
const STACK: usize = 512 << 20;

/// The longest text that a filter or a method may make of some.
const GROWN: usize = 1 << 20;

/// Python's methods that templates call, but for those in [`bounded`].
const METHODS: [&str; 24] = [
    "strip",
    "lstrip",
    "rstrip",
    "split",
    "rsplit",
    "splitlines",
    "startswith",
    "endswith",
    "upper",
    "lower",
    "title",
    "capitalize",
    "items",
    "keys",
    "values",
    "get",
    "count",
    "find",
    "rfind",
    "isdigit",
    "isalpha",
    "isalnum",
    "isspace",
    "isupper",
];

/// Instructions that a rendering may take, and more for each message and tool: real ones take some
/// thousands.
const FUEL: u64 = 200_000;
const FUEL_EACH: u64 = 20_000;

/// What a rendering may come to beside what it is given, and how often it may write that.
const WRITTEN: usize = 1 << 20;
const REPEATED: usize = 4;

/// The furthest that JSON is indented.
const INDENT: usize = 16;

/// The date that a template is told: the one that Llama's own carries where it is told none.
const TODAY: [(&str, &str); 8] = [
    ("%d", "26"),
    ("%b", "Jul"),
    ("%B", "July"),
    ("%Y", "2024"),
    ("%m", "07"),
    ("%A", "Friday"),
    ("%H", "00"),
    ("%M", "00"),
];

/// A chat template and the special tokens that it may name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    source: String,
    /// `bos_token` and the like.
    special: Vec<(String, String)>,
}

/// What is written by a template.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Conversation {
    /// The messages as chat completions have them, arguments of calls as objects.
    pub messages: Vec<serde_json::Value>,
    /// The tools that may be called.
    pub tools: Vec<serde_json::Value>,
    /// Whether what comes before the assistant's next message is written too.
    pub answer: bool,
    /// Whether a model that could think at length first is to do so; it is asked to answer at once
    /// otherwise.
    pub thinks: bool,
}

impl Template {
    /// That of a model's files (see [`super::beside::FILES`]): `chat_template.jinja`, else the one
    /// in `chat_template.json`, else the one in `tokenizer_config.json`.
    pub fn find(beside: &[(String, Vec<u8>)]) -> Result<Option<Self>> {
        let file = |name: &str| beside.iter().find(|(its, _)| its == name).map(|(_, bytes)| bytes);
        let config = beside::json(beside, "tokenizer_config.json")?;
        let source = match file("chat_template.jinja") {
            Some(bytes) => Some(
                String::from_utf8(bytes.clone())
                    .map_err(|_| Error::new("chat_template.jinja: not UTF-8"))?,
            ),
            None => named(&beside::json(beside, "chat_template.json")?["chat_template"])
                .or_else(|| named(&config["chat_template"])),
        };
        let Some(source) = source else { return Ok(None) };
        if source.len() > SOURCE {
            return Err(Error::new(format!("a chat template of {} bytes", source.len()))
                .hint(format!("at most {SOURCE} are read")));
        }
        let special = ["bos_token", "eos_token", "unk_token", "pad_token"]
            .iter()
            .filter_map(|name| Some(((*name).to_string(), beside::token(&config[*name])?)))
            .collect();
        Ok(Some(Self { source, special }))
    }

    /// Messages, each with who says it (`system`, `user`, `assistant`), as they are written; with
    /// `answer`, what comes before the assistant's next message.
    pub fn render(&self, messages: &[(&str, &str)], answer: bool) -> Result<String> {
        let messages = messages
            .iter()
            .map(|(role, content)| json!({"role": role, "content": content}))
            .collect();
        self.converse(&Conversation { messages, answer, ..Conversation::default() })
    }

    /// A conversation as it is written.
    pub fn converse(&self, conversation: &Conversation) -> Result<String> {
        let wrong = |e: &Jinja| {
            Error::new(format!("the chat template cannot be used: {e}"))
                .hint("take the template that the model was published with")
        };
        let Conversation { messages, tools, answer, thinks } = conversation;
        let mut context = serde_json::Map::new();
        for (name, token) in &self.special {
            context.insert(name.clone(), json!(token));
        }
        let given =
            |all: &[serde_json::Value]| all.iter().map(|one| one.to_string().len()).sum::<usize>();
        let most = WRITTEN + REPEATED * (given(messages) + given(tools));
        let fuel = FUEL + FUEL_EACH * (messages.len() + tools.len()) as u64;
        context.insert("messages".into(), json!(messages));
        // What is not there is none, as transformers says it.
        context.insert("tools".into(), if tools.is_empty() { json!(null) } else { json!(tools) });
        context.insert("documents".into(), json!(null));
        context.insert("add_generation_prompt".into(), json!(answer));
        context.insert("enable_thinking".into(), json!(thinks));
        let context = serde_json::Value::Object(context);
        let render = || {
            let environment = self.environment(fuel).map_err(|e| wrong(&e))?;
            let template = environment.get_template("chat").map_err(|e| wrong(&e))?;
            let mut written = Bounded { bytes: Vec::new(), most };
            template.render_captured_to(&context, &mut written).map_err(|e| wrong(&e))?;
            String::from_utf8(written.bytes)
                .map_err(|_| Error::new("the chat template wrote what is not UTF-8"))
        };
        // A stack of its own: thirty thousand brackets would go past that of this thread, and the
        // program would be gone without a word.
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().name("template".into()).stack_size(STACK);
            let started = thread
                .spawn_scoped(scope, || guarded("rendering the chat template", render))
                .map_err(|e| Error::new(format!("rendering the chat template: {e}")))?;
            started
                .join()
                .unwrap_or_else(|_| Err(Error::new("rendering the chat template broke off")))
        })
    }

    /// What transformers gives a template: blocks trimmed, Python's methods, and a few functions.
    fn environment(&self, fuel: u64) -> std::result::Result<Environment<'_>, Jinja> {
        let mut environment = Environment::new();
        environment.set_trim_blocks(true);
        environment.set_lstrip_blocks(true);
        environment.set_fuel(Some(fuel));
        environment.set_recursion_limit(64);
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        environment.set_unknown_method_callback(|state, value, method, args| {
            if method == "replace" {
                bounded(value, args)?;
            } else if !METHODS.contains(&method) {
                let odd = format!("the method {method} is not known here");
                return Err(Jinja::new(ErrorKind::UnknownMethod, odd));
            }
            minijinja_contrib::pycompat::unknown_method_callback(state, value, method, args)
        });
        // What makes a gigabyte of a line.
        for filter in ["format", "indent", "center", "pprint", "batch", "slice"] {
            environment.remove_filter(filter);
        }
        environment.add_filter("replace", |text: String, old: String, new: String| {
            bounded(&Value::from(&text), &[Value::from(&old), Value::from(&new)])?;
            Ok::<_, Jinja>(text.replace(&old, &new))
        });
        environment.set_formatter(as_python_prints);
        // Nothing is none of these in Python.
        environment.add_test("iterable", |value: &Value| {
            value.is_undefined()
                || value.as_str().is_some()
                || (!value.is_none() && value.try_iter().is_ok())
        });
        environment.add_filter("join", joined);
        environment.add_filter("tojson", |value: Value, options: Kwargs| {
            // Python's other ones change nothing of what is written here.
            let indent = options.get::<Option<usize>>("indent")?;
            if indent.is_some_and(|indent| indent > INDENT) {
                return Err(Jinja::new(ErrorKind::InvalidOperation, "a text becomes too long"));
            }
            python_json::written(&value, indent)
                .map_err(|e| Jinja::new(ErrorKind::BadSerialization, e.to_string()))
        });
        environment.add_function(
            "raise_exception",
            |what: String| -> std::result::Result<Value, Jinja> {
                Err(Jinja::new(ErrorKind::InvalidOperation, format!("it says: {what}")))
            },
        );
        environment.add_function("strftime_now", |form: String| {
            TODAY.iter().fold(form, |text, (mark, value)| text.replace(mark, value))
        });
        let source = without_marks(&self.source);
        environment.add_template_owned("chat", source)?;
        Ok(environment)
    }
}

/// Writes a value as Python prints it.
///
/// # Errors
/// For lists and objects: no model should have been trained on how these are printed.
fn as_python_prints(
    out: &mut Output<'_>,
    state: &State<'_, '_>,
    value: &Value,
) -> std::result::Result<(), Jinja> {
    match value.kind() {
        ValueKind::Seq | ValueKind::Map => Err(Jinja::new(
            ErrorKind::InvalidOperation,
            "it prints a list or an object as Python does, which is not known here",
        )),
        ValueKind::Number if !value.is_integer() => {
            let text = python_json::written(value, None);
            let text = text.map_err(|e| Jinja::new(ErrorKind::BadSerialization, e.to_string()))?;
            Ok(out.write_str(&text)?)
        }
        _ => minijinja::escape_formatter(out, state, value),
    }
}

/// Refuses what would make a text of `text` by replacing that is longer than [`GROWN`].
fn bounded(text: &Value, args: &[Value]) -> std::result::Result<(), Jinja> {
    let length = |value: Option<&Value>| value.and_then(Value::as_str).map_or(0, str::len);
    let whole = text.as_str().map_or(0, str::len);
    let (old, new) = (length(args.first()), length(args.get(1)));
    let grown = (whole / old.max(1) + 1).saturating_mul(new).saturating_add(whole);
    if grown > GROWN {
        return Err(Jinja::new(ErrorKind::InvalidOperation, "a text becomes too long"));
    }
    Ok(())
}

/// The items of a list with a text between them, up to [`GROWN`].
#[expect(clippy::needless_pass_by_value, reason = "a filter is given its own")]
fn joined(list: Value, between: Option<String>) -> std::result::Result<String, Jinja> {
    let between = between.unwrap_or_default();
    let mut text = String::new();
    for (i, item) in list.try_iter()?.enumerate() {
        if i > 0 {
            text.push_str(&between);
        }
        text.push_str(item.to_string().as_str());
        if text.len() > GROWN {
            return Err(Jinja::new(ErrorKind::InvalidOperation, "a text becomes too long"));
        }
    }
    Ok(text)
}

/// A template that stands alone, or the default one of several.
fn named(field: &serde_json::Value) -> Option<String> {
    if let Some(list) = field.as_array() {
        let default = list.iter().find(|one| one["name"] == "default")?;
        return default["template"].as_str().map(str::to_string);
    }
    field.as_str().map(str::to_string)
}

/// A template without `{% generation %}`, by which transformers marks what the assistant says: it
/// writes nothing.
fn without_marks(source: &str) -> String {
    let mark = regex::Regex::new(r"\{%([-+]?)\s*(end)?generation\s*([-+]?)%\}");
    let Ok(mark) = mark else { return source.to_string() };
    mark.replace_all(source, |found: &regex::Captures<'_>| {
        let kind = if found.get(2).is_some() { "endif" } else { "if true" };
        format!("{{%{} {kind} {}%}}", &found[1], &found[3])
    })
    .into_owned()
}

/// What a template wrote, up to so many bytes.
struct Bounded {
    bytes: Vec<u8>,
    most: usize,
}

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.most {
            return Err(io::Error::other(format!("more than {} bytes", self.most)));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a template writes around the messages of a conversation whose turns all look alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turns {
    /// Before the system's message.
    pub opening: String,
    /// Between that and the first user's message.
    pub after_system: String,
    /// Between a user's message and the assistant's: the end of the one, the beginning of the other.
    pub to_assistant: String,
    /// Between an assistant's message and the user's next one.
    pub to_user: String,
}

/// Texts that stand for messages; no template writes them of itself.
const MESSAGES: [&str; 7] =
    ["qsystemq", "quser1q", "qanswer1q", "quser2q", "qanswer2q", "quser3q", "qanswer3q"];

impl Turns {
    /// How a template writes turns.
    ///
    /// # Errors
    /// Where they do not all look alike, so that a conversation cannot be a prefix of a longer one.
    pub fn of(template: &Template) -> Result<Self> {
        let [system, user1, answer1, user2, answer2, user3, answer3] = MESSAGES;
        let whole = template.render(
            &[
                ("system", system),
                ("user", user1),
                ("assistant", answer1),
                ("user", user2),
                ("assistant", answer2),
                ("user", user3),
                ("assistant", answer3),
            ],
            false,
        )?;
        let mut rest = whole.as_str();
        let mut between = Vec::new();
        for message in MESSAGES {
            let (before, after) = rest.split_once(message).ok_or_else(|| {
                Error::new("the chat template leaves out a message, or changes their order")
            })?;
            between.push(before.to_string());
            rest = after;
        }
        let [opening, after_system, to_assistant, to_user, again, back, _] = &between[..] else {
            return Err(Error::new("the chat template writes no turns"));
        };
        if (again, back) != (to_assistant, to_user) {
            return Err(Error::new("the chat template writes turns that do not look alike"));
        }
        let prompt = template.render(&[("system", system), ("user", user1)], true)?;
        let asked = prompt.split_once(user1).map(|(_, asked)| asked).unwrap_or_default();
        if !asked.starts_with(to_assistant.as_str()) {
            return Err(Error::new(
                "the chat template asks for an answer otherwise than it writes one",
            ));
        }
        let turns = Self {
            opening: opening.clone(),
            after_system: after_system.clone(),
            // With what a model that may think is given to answer at once (an empty thought).
            to_assistant: asked.to_string(),
            to_user: to_user.clone(),
        };
        turns.hold(template)?;
        Ok(turns)
    }

    /// Refuses a template that writes other than it is given: what is said in an environment has
    /// lines, and is long.
    fn hold(&self, template: &Template) -> Result<()> {
        let long = "You see a mug 1, and a desk 2.\nOn the desk 2, you see nothing.\n".repeat(40);
        let said = format!("{long}It is all.");
        let asked = template.render(&[("system", "Act.\nBe brief."), ("user", &said)], true)?;
        let Self { opening, after_system, to_assistant, .. } = self;
        if asked != format!("{opening}Act.\nBe brief.{after_system}{said}{to_assistant}") {
            return Err(Error::new("the chat template changes what it is given"));
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "template_tests.rs"]
mod tests;
