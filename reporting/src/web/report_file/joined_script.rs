//! Several ES modules as one script: a page that is a file cannot load modules from beside it.
//!
//! Each module becomes an async function that gives what it exports, and is called when it is first imported. What is known
//! of ES modules is what ours use, one statement to a line: the test joins all of them.

use std::collections::BTreeSet;
use std::fmt::Write;

/// Where a module is found that another one imports as `./name.js` or `../vendor/…`.
const FOLDER: &str = "js/";

/// Why modules cannot be joined. All of them are our own, so that it is a fault of this program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum JoinError {
    #[error("{0} is not an asset")]
    Missing(String),
    #[error("{path} has a statement that cannot be joined: {line}")]
    Statement { path: String, line: String },
    #[error("{0} imports a module that imports it")]
    Circle(String),
}

/// A module as a function's body, and what it imports.
#[derive(Debug, Default, PartialEq, Eq)]
struct Joined {
    body: String,
    /// Modules that must be there before it runs.
    imports: Vec<String>,
    /// Modules that it asks for when it runs.
    asks: Vec<String>,
}

/// The module at `entry` and all that it needs as one module script. `text_of` gives the text of the module at a path.
///
/// # Errors
/// A module is missing, written as none of ours is, or needs itself.
pub(super) fn join(
    entry: &str,
    text_of: impl Fn(&str) -> Option<&'static str>,
) -> Result<String, JoinError> {
    let mut script = String::from("const modules = {\n");
    let mut known = BTreeSet::new();
    let mut open = Vec::new();
    add(entry, &text_of, &mut script, &mut known, &mut open)?;
    script.push_str(
        "};\nconst loaded = {};\nconst use = (path) => (loaded[path] ??= modules[path]());\n",
    );
    writeln!(script, "await use({entry:?});").expect("a text takes all that is written");
    Ok(script)
}

fn add(
    path: &str,
    text_of: &impl Fn(&str) -> Option<&'static str>,
    script: &mut String,
    known: &mut BTreeSet<String>,
    open: &mut Vec<String>,
) -> Result<(), JoinError> {
    if open.iter().any(|opened| opened == path) {
        return Err(JoinError::Circle(path.to_owned()));
    }
    if !known.insert(path.to_owned()) {
        return Ok(());
    }
    let text = text_of(path).ok_or_else(|| JoinError::Missing(path.to_owned()))?;
    let Joined {
        body,
        imports,
        asks,
    } = joined(path, text)?;
    open.push(path.to_owned());
    for import in &imports {
        if open.contains(import) {
            return Err(JoinError::Circle(import.clone()));
        }
        add(import, text_of, script, known, open)?;
    }
    // By then the one that asks has run as far as it needs to.
    let before = std::mem::take(open);
    for asked in &asks {
        add(asked, text_of, script, known, open)?;
    }
    *open = before;
    open.pop();
    write!(script, "{path:?}: async () => {{\n{body}}},\n")
        .expect("a text takes all that is written");
    Ok(())
}

/// One module.
fn joined(path: &str, text: &str) -> Result<Joined, JoinError> {
    let mut module = Joined::default();
    let mut exports = Vec::new();
    for line in text.lines() {
        let refused = || JoinError::Statement {
            path: path.to_owned(),
            line: line.chars().take(200).collect(),
        };
        if let Some(import) = line.strip_prefix("import ") {
            let (names, from) = import.rsplit_once(" from ").unwrap_or(("", import));
            let from = quoted(from).and_then(place).ok_or_else(refused)?;
            let constant = match names.strip_prefix("* as ") {
                Some(name) => format!("const {name} = "),
                None if names.is_empty() => String::new(),
                None if names.starts_with('{') => {
                    format!("const {} = ", names.replace(" as ", ": "))
                }
                None => return Err(refused()),
            };
            let _ = writeln!(module.body, "{constant}await use({from:?});");
            module.imports.push(from);
        } else if let Some(list) = minified_exports(line) {
            let (before, list) = list;
            for export in list.split(',') {
                let (own, name) = export.split_once(" as ").unwrap_or((export, export));
                exports.push(format!("{name}: {own}"));
            }
            let _ = writeln!(module.body, "{before}");
        } else if let Some(declared) = line.strip_prefix("export ") {
            exports.push(declared_name(declared).ok_or_else(refused)?.to_owned());
            let _ = writeln!(module.body, "{}", asked(declared, &mut module.asks));
        } else {
            let line = if path.starts_with(FOLDER) {
                asked(line, &mut module.asks)
            } else {
                line.to_owned()
            };
            let _ = writeln!(module.body, "{line}");
        }
    }
    let _ = writeln!(module.body, "return {{ {} }};", exports.join(", "));
    Ok(module)
}

/// The path in `"./name.js";`.
fn quoted(text: &str) -> Option<&str> {
    text.strip_prefix('"')?.strip_suffix("\";")
}

/// Where the module is that one of ours imports by this path.
fn place(import: &str) -> Option<String> {
    match import.strip_prefix("./") {
        Some(beside) => Some(format!("{FOLDER}{beside}")),
        None => import.strip_prefix("../").map(str::to_owned),
    }
}

/// The name in `function name(…`, `async function name(…`, `class Name …`, `const name = …`.
fn declared_name(declared: &str) -> Option<&str> {
    let declared = declared.strip_prefix("async ").unwrap_or(declared);
    let (kind, rest) = declared.split_once(' ')?;
    if !["function", "function*", "class", "const"].contains(&kind) {
        return None;
    }
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '$')?;
    (end > 0).then_some(&rest[..end])
}

/// What stands before `export{…};` at the end of the line of a library, and the list in it.
fn minified_exports(line: &str) -> Option<(&str, &str)> {
    let (before, list) = line.rsplit_once("export{")?;
    Some((before, list.strip_suffix("};")?))
}

/// A line with each `import("./name.js")` in it asked for in its new place.
fn asked(line: &str, asks: &mut Vec<String>) -> String {
    const IMPORT: &str = "import(\"";
    let mut changed = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once(IMPORT) {
        let Some((from, behind)) = after.split_once("\")") else {
            break;
        };
        let Some(place) = place(from) else { break };
        let _ = write!(changed, "{before}use({place:?})");
        asks.push(place);
        rest = behind;
    }
    changed + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(path: &str) -> Option<&'static str> {
        Some(match path {
            "js/a.js" => {
                "import \"./b.js\";\nimport { c as d, e } from \"./c.js\";\nimport * as all from \"../vendor/v.js\";\n\
                 export async function f() {\n  return (await import(\"./late.js\")).g + d + e + all.one;\n}\nconsole.log(await f());\n"
            }
            "js/b.js" => "globalThis.b = 1;\n",
            "js/c.js" => "export const c = 2;\nexport class e {}\n",
            "js/late.js" => "import { f } from \"./a.js\";\nexport const g = 3;\n",
            "js/circle.js" => "import { c } from \"./other.js\";\n",
            "js/other.js" => "import { d } from \"./circle.js\";\n",
            "js/odd.js" => "export default 3;\n",
            "vendor/v.js" => "var x=1;export{x as one,x};",
            _ => return None,
        })
    }

    #[test]
    fn modules_become_functions_that_are_called_once() {
        let script = join("js/a.js", text_of).unwrap();
        for part in [
            "\"js/b.js\": async () => {\nglobalThis.b = 1;\nreturn {  };\n},\n",
            "await use(\"js/b.js\");\nconst { c: d, e } = await use(\"js/c.js\");\nconst all = await use(\"vendor/v.js\");\n",
            "async function f() {\n  return (await use(\"js/late.js\")).g + d",
            "const c = 2;\nclass e {}\nreturn { c, e };\n",
            "var x=1;\nreturn { one: x, x: x };\n",
            "\nawait use(\"js/a.js\");\n",
        ] {
            assert!(script.contains(part), "{part} in {script}");
        }
        assert_eq!(script.matches("async () => {").count(), 5);
    }

    #[test]
    fn what_cannot_be_joined_is_refused() {
        let error = |entry: &str| join(entry, text_of).unwrap_err();
        assert_eq!(error("js/none.js"), JoinError::Missing("js/none.js".into()));
        assert_eq!(
            error("js/circle.js"),
            JoinError::Circle("js/circle.js".into())
        );
        let line = "export default 3;".to_owned();
        let path = "js/odd.js".to_owned();
        assert_eq!(error("js/odd.js"), JoinError::Statement { path, line });
    }
}
