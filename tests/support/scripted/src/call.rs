//! A request as a brain sees it.

use serde_json::Value;

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// `system`, `user`, `assistant` or `tool`.
    pub role: String,
    /// Its text; parts are joined.
    pub text: String,
}

/// A chat request.
#[derive(Clone, Debug)]
pub struct Call {
    /// How many chat requests came before it.
    pub number: usize,
    /// The request's body.
    pub body: Value,
}

impl Call {
    /// The conversation.
    pub fn messages(&self) -> Vec<Message> {
        let list = self.body["messages"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        let text = |content: &Value| match content {
            Value::String(text) => text.clone(),
            Value::Array(parts) => parts
                .iter()
                .filter_map(|part| part["text"].as_str())
                .collect(),
            _ => String::new(),
        };
        let role = |message: &Value| message["role"].as_str().unwrap_or_default().to_owned();
        list.iter()
            .map(|m| Message {
                role: role(m),
                text: text(&m["content"]),
            })
            .collect()
    }

    /// All text of the conversation, a message a paragraph.
    pub fn text(&self) -> String {
        let texts: Vec<String> = self.messages().into_iter().map(|m| m.text).collect();
        texts.join("\n\n")
    }

    /// The last message that a user wrote.
    pub fn last_user(&self) -> String {
        let last = self.messages().into_iter().rev().find(|m| m.role == "user");
        last.map(|m| m.text).unwrap_or_default()
    }

    /// Names of the tools that may be called.
    pub fn tools(&self) -> Vec<String> {
        let tools = self.body["tools"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        tools
            .iter()
            .filter_map(|t| t["function"]["name"].as_str())
            .map(str::to_owned)
            .collect()
    }

    /// Observations of the tools that were called: id and text.
    pub fn observations(&self) -> Vec<(String, String)> {
        let list = self.body["messages"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        let tool = list.iter().filter(|m| m["role"] == "tool");
        let part = |m: &Value, key: &str| m[key].as_str().unwrap_or_default().to_owned();
        tool.map(|m| (part(m, "tool_call_id"), part(m, "content")))
            .collect()
    }

    /// The schema that the output has to satisfy, wherever a dialect puts it.
    pub fn schema(&self) -> Option<Value> {
        let format = &self.body["response_format"];
        let forms = [&format["json_schema"]["schema"], &format["schema"]];
        forms.into_iter().find(|schema| schema.is_object()).cloned()
    }

    /// Name of the schema, where it has one.
    pub fn schema_name(&self) -> Option<&str> {
        self.body["response_format"]["json_schema"]["name"].as_str()
    }
}
