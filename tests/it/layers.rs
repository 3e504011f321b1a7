//! The structure of the source: no two modules import each other, and no folder imports one from a
//! higher layer.
//!
//! An import through `pub use` counts for the module that defines the item. Tests in modules do not
//! count.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::LazyLock,
};

use regex::Regex;

/// The folders and files in the root of the crate, from top to bottom. An import may skip layers,
/// but never goes up. Modules on one line do not import each other.
const LAYERS: [&[&str]; 17] = [
    &["internals"],
    &["cli", "server"],
    &["serve", "report"],
    &["app"],
    &["api", "control"],
    &["http", "verification"],
    &["session"],
    &["engine"],
    &["upstream"],
    &["cassette"],
    &["transcript"],
    &["knowledge"],
    &["store", "extract", "search"],
    &["fixture", "events", "event_bus", "turns", "metrics"],
    &["clock", "tokens", "redact"],
    &["types"],
    &["vocabulary"],
];

static USE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"(?m)^[ \t]*(pub(?:\([^)]*\))? )?use ([^;"=]+);"#).unwrap());
static PATH: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\b(?:crate|super|self)(?:::\w+)+").unwrap());

/// A visibility is not an import.
static VISIBILITY: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"pub\(in [^)]*\)").unwrap());

/// A module's name, as its path from the root of the crate.
type Name = Vec<String>;

struct Source {
    modules: BTreeMap<Name, Module>,
}

#[derive(Default)]
struct Module {
    /// The imported items, as absolute paths.
    uses: Vec<Name>,
    /// The items of other modules that it exports.
    exports: BTreeMap<String, Name>,
}

fn files(folder: &Path, all: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, all);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            all.push(path);
        }
    }
}

fn name_of(root: &Path, path: &Path) -> Name {
    let relative = path.strip_prefix(root).unwrap().with_extension("");
    let mut name: Name = relative.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if name.last().is_some_and(|last| last == "mod" || last == "lib") {
        name.pop();
    }
    name
}

impl Source {
    fn read(root: &Path) -> Self {
        let mut paths = Vec::new();
        files(root, &mut paths);
        paths.retain(|path| !path.ends_with("main.rs") && !path.ends_with("properties.rs"));
        let names: Vec<Name> = paths.iter().map(|path| name_of(root, path)).collect();
        let mut source =
            Self { modules: names.iter().map(|name| (name.clone(), Module::default())).collect() };
        for (path, name) in paths.iter().zip(names) {
            let text = std::fs::read_to_string(path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
            let code = VISIBILITY.replace_all(code, "pub");
            let code: String = code
                .lines()
                .map(|line| line.split("//").next().unwrap().to_owned() + "\n")
                .collect();
            let module = source.module(&name, &code);
            source.modules.insert(name, module);
        }
        source
    }

    fn module(&self, name: &Name, code: &str) -> Module {
        let mut module = Module::default();
        for found in USE.captures_iter(code) {
            for path in expanded(&found[2]) {
                let Some(path) = self.absolute(name, &path) else { continue };
                match (found.get(1), path.last()) {
                    (Some(_), Some(last)) => _ = module.exports.insert(last.clone(), path),
                    _ => module.uses.push(path),
                }
            }
        }
        let rest = USE.replace_all(code, "");
        let paths = PATH.find_iter(&rest).map(|path| segments(path.as_str()));
        module.uses.extend(paths.filter_map(|path| self.absolute(name, &path)));
        module
    }

    fn absolute(&self, of: &Name, path: &[String]) -> Option<Name> {
        let mut base = of.clone();
        let mut rest = path;
        match path.first()?.as_str() {
            "crate" => (base, rest) = (Vec::new(), &path[1..]),
            "self" => rest = &path[1..],
            "super" => {
                while rest.first().is_some_and(|first| first == "super") {
                    base.pop();
                    rest = &rest[1..];
                }
            }
            first => {
                let child: Name = base.iter().cloned().chain([first.to_owned()]).collect();
                self.modules.contains_key(&child).then_some(())?;
            }
        }
        Some(base.into_iter().chain(rest.iter().cloned()).collect())
    }

    /// The module that defines the item at a path.
    fn owner(&self, path: &[String], depth: usize) -> Name {
        let mut known = 0;
        while known < path.len() && self.modules.contains_key(&path[..=known]) {
            known += 1;
        }
        let module = &path[..known];
        let export = path
            .get(known)
            .and_then(|next| self.modules.get(module).and_then(|it| it.exports.get(next)));
        match export {
            Some(export) if depth < 8 => {
                let path: Name = export.iter().chain(&path[known + 1..]).cloned().collect();
                self.owner(&path, depth + 1)
            }
            _ => module.to_vec(),
        }
    }

    /// The imports of each module.
    fn imports(&self) -> BTreeMap<Name, BTreeSet<Name>> {
        let of = |(name, module): (&Name, &Module)| {
            let owners = module.uses.iter().map(|path| self.owner(path, 0));
            (name.clone(), owners.filter(|owner| owner != name).collect())
        };
        self.modules.iter().map(of).collect()
    }
}

fn segments(path: &str) -> Name {
    path.split("::").map(|part| part.trim().to_owned()).collect()
}

/// The single paths of a `use`, with any nesting of braces.
fn expanded(tree: &str) -> Vec<Name> {
    let Some(open) = tree.find('{') else {
        let path = tree.split(" as ").next().unwrap();
        return vec![
            segments(path).into_iter().filter(|part| part != "self" || path == "self").collect(),
        ];
    };
    let (prefix, inner) = (&tree[..open], &tree[open + 1..tree.rfind('}').unwrap()]);
    let (mut depth, mut item, mut all) = (0, String::new(), Vec::new());
    for letter in inner.chars().chain([',']) {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                if !item.trim().is_empty() {
                    all.extend(expanded(&format!("{prefix}{}", item.trim())));
                }
                item.clear();
                continue;
            }
            _ => {}
        }
        item.push(letter);
    }
    all
}

fn source() -> Source {
    Source::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
}

#[test]
fn no_module_imports_one_that_imports_it() {
    let mut imports = source().imports();
    assert!(imports.values().map(BTreeSet::len).sum::<usize>() > 300, "imports are found");
    // A module without remaining imports is in no cycle.
    loop {
        let free: Vec<Name> =
            imports.iter().filter(|(_, of)| of.is_empty()).map(|(name, _)| name.clone()).collect();
        if free.is_empty() {
            break;
        }
        for name in free {
            imports.remove(&name);
            imports.values_mut().for_each(|of| _ = of.remove(&name));
        }
    }
    // A module that no remaining module imports is in no cycle, either: it only leads to one.
    loop {
        let imported: BTreeSet<Name> = imports.values().flatten().cloned().collect();
        let before = imports.len();
        imports.retain(|name, _| imported.contains(name));
        if imports.len() == before {
            break;
        }
    }
    let circles: Vec<String> = imports
        .iter()
        .map(|(name, of)| {
            let of: Vec<_> = of.iter().map(|name| name.join("::")).collect();
            format!("{} -> {}", name.join("::"), of.join(", "))
        })
        .collect();
    assert!(circles.is_empty(), "{}", circles.join("\n"));
}

#[test]
fn no_import_goes_up() {
    let place = |name: &Name| {
        let first = name.first()?;
        LAYERS.iter().position(|layer| layer.contains(&first.as_str()))
    };
    let source = source();
    for name in source.modules.keys().filter(|name| !name.is_empty()) {
        assert!(place(name).is_some(), "{} has no layer", name.join("::"));
    }
    for (name, imports) in source.imports() {
        for imported in imports {
            let (Some(from), Some(to)) = (place(&name), place(&imported)) else { continue };
            let is_within = name.first() == imported.first();
            let arrow = format!("{} -> {}", name.join("::"), imported.join("::"));
            assert!(is_within || from < to, "{arrow}");
        }
    }
}
