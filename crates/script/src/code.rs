//! `%{ ... }%`: assertions about a connection, in the small part of Python that scripts use.

use std::collections::BTreeMap;

/// How a piece of code ended when it did not simply hold.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Trouble {
    /// An assertion does not hold: the assertion, and what its names stand for.
    False { assertion: String, values: String },
    /// A name or construct that is not known here.
    NotUnderstood(String),
}

/// A value.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Value {
    Int(i64),
    Float(f64),
    Bool(bool),
    Text(String),
    None,
}

impl Value {
    fn truth(&self) -> bool {
        match self {
            Value::Int(n) => *n != 0,
            Value::Float(x) => *x != 0.0,
            Value::Bool(b) => *b,
            Value::Text(t) => !t.is_empty(),
            Value::None => false,
        }
    }

    fn int(&self) -> Option<i64> {
        match self {
            Value::Int(n) => Some(*n),
            Value::Bool(b) => Some(i64::from(*b)),
            _ => None,
        }
    }

    fn float(&self) -> Option<f64> {
        match self {
            Value::Float(x) => Some(*x),
            other => other.int().map(|n| n as f64),
        }
    }

    fn show(&self) -> String {
        match self {
            Value::Int(n) => n.to_string(),
            Value::Float(x) => x.to_string(),
            Value::Bool(b) => if *b { "True" } else { "False" }.into(),
            Value::Text(t) => format!("'{t}'"),
            Value::None => "None".into(),
        }
    }
}

/// Variables that code has set; they live as long as the script.
pub(crate) type Variables = BTreeMap<String, Value>;

/// Runs a piece of code. `lookup` knows the names that the code has not set itself.
pub(crate) fn run(
    code: &str,
    variables: &mut Variables,
    lookup: &dyn Fn(&str) -> Option<i64>,
) -> Result<(), Trouble> {
    for statement in statements(code) {
        run_statement(&statement, variables, lookup)?;
    }
    Ok(())
}

/// Cuts at line ends and semicolons outside brackets and strings; comments go.
fn statements(code: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut one = String::new();
    let (mut depth, mut quote) = (0_u32, None);
    let code = code.replace("\\\n", " ");
    let mut chars = code.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, quote) {
            (c, Some(q)) => {
                one.push(c);
                if c == '\\' {
                    one.extend(chars.next());
                } else if c == q {
                    quote = None;
                }
                continue;
            }
            ('"' | '\'', None) => quote = Some(c),
            ('#', None) => {
                while chars.next_if(|c| *c != '\n').is_some() {}
                continue;
            }
            ('(' | '[', None) => depth += 1,
            (')' | ']', None) => depth = depth.saturating_sub(1),
            (';' | '\n', None) if depth == 0 => {
                all.push(std::mem::take(&mut one));
                continue;
            }
            _ => {}
        }
        one.push(c);
    }
    all.push(one);
    all.into_iter().map(|s| s.trim().to_string()).filter(|s| !s.is_empty() && s != "pass").collect()
}

fn run_statement(
    text: &str,
    variables: &mut Variables,
    lookup: &dyn Fn(&str) -> Option<i64>,
) -> Result<(), Trouble> {
    let mut eval = Eval { tokens: tokens(text)?, at: 0, variables, lookup, used: Vec::new(), depth: 0 };
    let first = eval.tokens.first().cloned();
    if first == Some(Token::Name("assert".into())) {
        eval.at = 1;
        let value = eval.test()?;
        // What follows a comma is a message: it is not needed to judge.
        if eval.at < eval.tokens.len() && !eval.is(",") {
            return Err(Trouble::NotUnderstood(text.into()));
        }
        if value.truth() {
            return Ok(());
        }
        let values: Vec<_> = eval.used.iter().map(|(n, v)| format!("{n} = {}", v.show())).collect();
        let assertion = text.trim_start_matches("assert").trim().to_string();
        return Err(Trouble::False { assertion, values: values.join(", ") });
    }
    if first == Some(Token::Name("print".into())) {
        return Ok(());
    }
    if let (Some(Token::Name(name)), Some(Token::Op("="))) = (first, eval.tokens.get(1)) {
        eval.at = 2;
        let value = eval.test()?;
        if eval.at == eval.tokens.len() {
            eval.variables.insert(name, value);
            return Ok(());
        }
    }
    Err(Trouble::NotUnderstood(text.into()))
}

#[derive(Clone, PartialEq, Debug)]
enum Token {
    Number(Value),
    Text(String),
    Name(String),
    Op(&'static str),
}

const OPERATORS: [&str; 23] = [
    "**", "//", "<<", ">>", "<=", ">=", "==", "!=", "+", "-", "*", "/", "%", "<", ">", "=", "(", ")", ",",
    "&", "|", "^", "~",
];

fn tokens(text: &str) -> Result<Vec<Token>, Trouble> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(c) = rest.chars().next() {
        let word_end =
            rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '.').unwrap_or(rest.len());
        let used = if c == '"' || c == '\'' {
            let end = rest.get(1..).and_then(|r| r.find(c)).map(|i| i + 1);
            let Some(end) = end else { return Err(Trouble::NotUnderstood(text.into())) };
            tokens.push(Token::Text(rest.get(1..end).unwrap_or_default().into()));
            end + 1
        } else if c.is_ascii_digit() || c == '.' {
            let word = rest.get(..word_end).unwrap_or_default();
            let int = match word.strip_prefix("0x") {
                Some(hex) => i64::from_str_radix(hex, 16).ok(),
                None => word.parse().ok(),
            };
            let value = int.map(Value::Int).or_else(|| word.parse().ok().map(Value::Float));
            tokens.push(Token::Number(value.ok_or_else(|| Trouble::NotUnderstood(word.into()))?));
            word_end
        } else if c.is_alphabetic() || c == '_' {
            tokens.push(Token::Name(rest.get(..word_end).unwrap_or_default().into()));
            word_end
        } else {
            let op = OPERATORS.iter().find(|op| rest.starts_with(**op));
            let Some(op) = op else { return Err(Trouble::NotUnderstood(format!("'{c}' in: {text}"))) };
            tokens.push(Token::Op(op));
            op.len()
        };
        rest = rest.get(used..).unwrap_or_default().trim_start();
    }
    Ok(tokens)
}

/// Nesting beyond this is no assertion of a person.
const DEEPEST: u32 = 64;

struct Eval<'a> {
    tokens: Vec<Token>,
    at: usize,
    variables: &'a mut Variables,
    lookup: &'a dyn Fn(&str) -> Option<i64>,
    /// Names that were looked up, with their values.
    used: Vec<(String, Value)>,
    depth: u32,
}

type Result1 = Result<Value, Trouble>;

impl Eval<'_> {
    fn is(&self, op: &str) -> bool {
        match self.tokens.get(self.at) {
            Some(Token::Op(o)) => *o == op,
            Some(Token::Name(n)) => n == op,
            _ => false,
        }
    }

    fn take(&mut self, op: &str) -> bool {
        let there = self.is(op);
        self.at += usize::from(there);
        there
    }

    fn trouble<T>(&self, what: &str) -> Result<T, Trouble> {
        Err(Trouble::NotUnderstood(what.into()))
    }

    /// `or`, the loosest. Both sides are always evaluated: nothing here has an effect.
    fn test(&mut self) -> Result1 {
        self.depth += 1;
        if self.depth > DEEPEST {
            return self.trouble("nesting too deep");
        }
        let mut left = self.conjunction()?;
        while self.take("or") {
            let right = self.conjunction()?;
            left = if left.truth() { left } else { right };
        }
        self.depth -= 1;
        Ok(left)
    }

    fn conjunction(&mut self) -> Result1 {
        let mut left = self.negation()?;
        while self.take("and") {
            let right = self.negation()?;
            left = if left.truth() { right } else { left };
        }
        Ok(left)
    }

    fn negation(&mut self) -> Result1 {
        let mut negative = false;
        while self.take("not") {
            negative = !negative;
        }
        let value = self.comparison()?;
        Ok(if negative { Value::Bool(!value.truth()) } else { value })
    }

    /// `a < b <= c`: every neighbouring pair.
    fn comparison(&mut self) -> Result1 {
        let mut left = self.binary(0)?;
        let mut holds = None;
        while let Some(op) = ["<=", ">=", "==", "!=", "<", ">"].into_iter().find(|op| self.is(op)) {
            self.at += 1;
            let right = self.binary(0)?;
            let order = match (&left, &right) {
                (Value::Text(a), Value::Text(b)) => a.partial_cmp(b),
                (a, b) => match (a.int(), b.int()) {
                    (Some(a), Some(b)) => Some(a.cmp(&b)),
                    _ => a.float().zip(b.float()).and_then(|(a, b)| a.partial_cmp(&b)),
                },
            };
            let truth = match (op, order) {
                ("==", order) => order.map_or(left == right, |o| o.is_eq()),
                ("!=", order) => order.map_or(left != right, |o| o.is_ne()),
                (_, None) => return self.trouble("comparison of values of different kinds"),
                ("<", Some(o)) => o.is_lt(),
                (">", Some(o)) => o.is_gt(),
                ("<=", Some(o)) => o.is_le(),
                (_, Some(o)) => o.is_ge(),
            };
            holds = Some(holds.unwrap_or(true) && truth);
            left = right;
        }
        Ok(holds.map_or(left, Value::Bool))
    }

    /// Binary operators by binding strength, loosest first.
    fn binary(&mut self, level: usize) -> Result1 {
        const LEVELS: [&[&str]; 6] =
            [&["|"], &["^"], &["&"], &["<<", ">>"], &["+", "-"], &["*", "/", "//", "%"]];
        let Some(ops) = LEVELS.get(level) else { return self.unary() };
        let mut left = self.binary(level + 1)?;
        while let Some(op) = ops.iter().find(|op| self.is(op)) {
            self.at += 1;
            let right = self.binary(level + 1)?;
            left = self.apply(op, &left, &right)?;
        }
        Ok(left)
    }

    fn apply(&self, op: &str, left: &Value, right: &Value) -> Result1 {
        let result = match (left.int(), right.int()) {
            (Some(a), Some(b)) => match op {
                "|" => Some(Value::Int(a | b)),
                "^" => Some(Value::Int(a ^ b)),
                "&" => Some(Value::Int(a & b)),
                "<<" => u32::try_from(b).ok().and_then(|b| a.checked_shl(b)).map(Value::Int),
                ">>" => u32::try_from(b).ok().and_then(|b| a.checked_shr(b)).map(Value::Int),
                "+" => a.checked_add(b).map(Value::Int),
                "-" => a.checked_sub(b).map(Value::Int),
                "*" => a.checked_mul(b).map(Value::Int),
                "/" if b != 0 => Some(Value::Float(a as f64 / b as f64)),
                // Python rounds towards minus infinity.
                "//" => a.checked_div(b).map(|q| Value::Int(q - i64::from(a % b != 0 && (a < 0) != (b < 0)))),
                "%" => {
                    a.checked_rem(b).map(|r| Value::Int(if r != 0 && (r < 0) != (b < 0) { r + b } else { r }))
                }
                _ => None,
            },
            _ => match (left.float(), right.float(), op) {
                (Some(a), Some(b), "+") => Some(Value::Float(a + b)),
                (Some(a), Some(b), "-") => Some(Value::Float(a - b)),
                (Some(a), Some(b), "*") => Some(Value::Float(a * b)),
                (Some(a), Some(b), "/") if b != 0.0 => Some(Value::Float(a / b)),
                (Some(a), Some(b), "//") if b != 0.0 => Some(Value::Float((a / b).floor())),
                _ => None,
            },
        };
        match result {
            Some(value) => Ok(value),
            None => self.trouble(&format!("{} {op} {}", left.show(), right.show())),
        }
    }

    fn unary(&mut self) -> Result1 {
        let minus = self.take("-");
        if !minus {
            self.take("+");
        }
        let complement = !minus && self.take("~");
        let value = self.power()?;
        match value {
            Value::Int(n) if minus => Ok(Value::Int(n.wrapping_neg())),
            Value::Float(x) if minus => Ok(Value::Float(-x)),
            Value::Int(n) if complement => Ok(Value::Int(!n)),
            v if !minus && !complement => Ok(v),
            v => self.trouble(&v.show()),
        }
    }

    fn power(&mut self) -> Result1 {
        let base = self.atom()?;
        if !self.take("**") {
            return Ok(base);
        }
        self.depth += 1;
        if self.depth > DEEPEST {
            return self.trouble("nesting too deep");
        }
        let exponent = self.unary()?;
        self.depth -= 1;
        match (base.int(), exponent.int().and_then(|e| u32::try_from(e).ok())) {
            (Some(b), Some(e)) => match b.checked_pow(e) {
                Some(n) => Ok(Value::Int(n)),
                None => self.trouble("power out of range"),
            },
            _ => self.trouble("power of these values"),
        }
    }

    fn atom(&mut self) -> Result1 {
        let Some(token) = self.tokens.get(self.at).cloned() else {
            return self.trouble("end of the expression");
        };
        self.at += 1;
        match token {
            Token::Number(value) => Ok(value),
            Token::Text(text) => Ok(Value::Text(text)),
            Token::Op("(") => {
                let value = self.test()?;
                if self.take(")") { Ok(value) } else { self.trouble("( without )") }
            }
            Token::Op(op) => self.trouble(op),
            Token::Name(name) if self.is("(") => self.function(&name),
            Token::Name(name) => self.name(&name),
        }
    }

    fn name(&mut self, name: &str) -> Result1 {
        match name {
            "True" => return Ok(Value::Bool(true)),
            "False" => return Ok(Value::Bool(false)),
            "None" => return Ok(Value::None),
            _ => {}
        }
        if let Some(value) = self.variables.get(name).cloned() {
            self.used.push((name.into(), value.clone()));
            return Ok(value);
        }
        if let Some(n) = crate::consts::value(name) {
            return Ok(Value::Int(n));
        }
        match (self.lookup)(name) {
            Some(n) => {
                self.used.push((name.into(), Value::Int(n)));
                Ok(Value::Int(n))
            }
            None => self.trouble(&format!("{name} is not known here")),
        }
    }

    fn function(&mut self, name: &str) -> Result1 {
        self.at += 1;
        let mut args = Vec::new();
        while !self.take(")") {
            args.push(self.test()?);
            if !self.take(",") && !self.is(")") {
                return self.trouble(&format!("arguments of {name}"));
            }
        }
        let ints: Option<Vec<i64>> = args.iter().map(Value::int).collect();
        match (name, args.as_slice(), ints.as_deref()) {
            ("abs", _, Some([n])) => Ok(Value::Int(n.wrapping_abs())),
            ("abs", [Value::Float(x)], _) => Ok(Value::Float(x.abs())),
            ("int", [v], _) => match v.float() {
                Some(x) => Ok(Value::Int(v.int().unwrap_or(x as i64))),
                None => self.trouble("int of this value"),
            },
            ("float", [v], _) => match v.float() {
                Some(x) => Ok(Value::Float(x)),
                None => self.trouble("float of this value"),
            },
            ("min", _, Some([first, rest @ ..])) => {
                Ok(Value::Int(rest.iter().fold(*first, |a, b| a.min(*b))))
            }
            ("max", _, Some([first, rest @ ..])) => {
                Ok(Value::Int(rest.iter().fold(*first, |a, b| a.max(*b))))
            }
            _ => self.trouble(&format!("{name}(..)")),
        }
    }
}

#[cfg(test)]
mod tests;
