//! Checks the dependencies between files: the floors (architectural layers) in the table of
//! ARCHITECTURE.md hold, and there are no cycles.
//!
//! The sources are parsed, and every path that begins at the crate or at a parent is resolved,
//! through `pub use`, to the module that defines the item. The modules of each folder are taken
//! together. Test code is ignored.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use syn::visit::Visit;

/// The path of a module as names from the crate's root, which is empty.
type Name = Vec<String>;

#[derive(Default)]
struct Module {
    /// Imported names and their sources, of `use` and `pub use` alike.
    imports: BTreeMap<String, Name>,
    /// Modules with glob imports.
    globs: Vec<Name>,
    /// All paths that refer to other modules.
    paths: Vec<Name>,
}

/// The modules of a crate.
struct Crate {
    modules: BTreeMap<Name, Module>,
}

fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        syn::Meta::List(list) if list.path.is_ident("cfg") => list.tokens.to_string() == "test",
        _ => false,
    })
}

impl Crate {
    fn read(source: &Path) -> Self {
        let mut this = Self { modules: BTreeMap::new() };
        let root = source.join("lib.rs");
        this.file(&root, source, Vec::new());
        this
    }

    /// Reads `file`, whose submodules are in `folder`.
    fn file(&mut self, file: &Path, folder: &Path, name: Name) {
        let text = std::fs::read_to_string(file).unwrap();
        let parsed = syn::parse_file(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        self.items(&parsed.items, folder, name);
    }

    fn items(&mut self, items: &[syn::Item], folder: &Path, name: Name) {
        let mut reader =
            Reader { at: name.clone(), module: Module::default(), children: Vec::new() };
        items.iter().for_each(|item| reader.visit_item(item));
        let Reader { module, children, .. } = reader;
        self.modules.insert(name.clone(), module);
        for child in children {
            let ident = child.ident.to_string();
            let below = [name.as_slice(), std::slice::from_ref(&ident)].concat();
            match &child.content {
                Some((_, items)) => self.items(items, &folder.join(&ident), below),
                None => {
                    let (flat, nested): (PathBuf, PathBuf) =
                        (folder.join(format!("{ident}.rs")), folder.join(&ident).join("mod.rs"));
                    let file = if flat.exists() { flat } else { nested };
                    self.file(&file, &folder.join(&ident), below);
                }
            }
        }
    }

    /// The module that defines what `path` names.
    fn defines(&self, path: &[String]) -> Option<Name> {
        self.follow(path, 0)
    }

    fn follow(&self, path: &[String], depth: usize) -> Option<Name> {
        if depth > 20 {
            return None;
        }
        let mut at: Name = Vec::new();
        for (i, segment) in path.iter().enumerate() {
            let below = [at.as_slice(), std::slice::from_ref(segment)].concat();
            if self.modules.contains_key(&below) {
                at = below;
                continue;
            }
            let module = &self.modules[&at];
            if let Some(source) = module.imports.get(segment) {
                let rest = &path[i + 1..];
                return self.follow(&[source.as_slice(), rest].concat(), depth + 1);
            }
            let through = module.globs.iter().find_map(|glob| {
                let full = [glob.as_slice(), &path[i..]].concat();
                self.follow(&full, depth + 1).filter(|found| found.len() > glob.len())
            });
            return Some(through.unwrap_or(at));
        }
        Some(at)
    }

    /// Every use of one module by another: the user, the used module, and the path as written.
    fn uses(&self) -> impl Iterator<Item = (&Name, Name, &Name)> {
        self.modules.iter().flat_map(move |(name, module)| {
            module.paths.iter().filter_map(move |path| Some((name, self.defines(path)?, path)))
        })
    }

    /// For each folder, its files and sub-folders, and which of them each uses, with an example.
    fn folders(&self) -> BTreeMap<Name, BTreeMap<String, BTreeMap<String, String>>> {
        let mut folders: BTreeMap<Name, BTreeMap<String, BTreeMap<String, String>>> =
            BTreeMap::new();
        // A floor below tensors, in the kernels' folder because its code is unsafe.
        let apart = |name: &Name| match name.strip_prefix(&["kernels".into(), "pages".into()]) {
            Some(rest) => [&["kernels/pages".to_owned()], rest].concat(),
            None => name.clone(),
        };
        for (name, target, path) in self.uses() {
            let (name, target) = (apart(name), apart(&target));
            let common = name.iter().zip(&target).take_while(|(a, b)| a == b).count();
            if let (Some(from), Some(to)) = (name.get(common), target.get(common)) {
                let example = format!("{} uses {}", name.join("::"), path.join("::"));
                let uses = folders.entry(name[..common].to_vec()).or_default();
                uses.entry(from.clone()).or_default().entry(to.clone()).or_insert(example);
            }
        }
        folders
    }
}

/// Collects the imports and paths of one module.
struct Reader<'a> {
    at: Name,
    module: Module,
    children: Vec<&'a syn::ItemMod>,
}

impl Reader<'_> {
    /// The absolute form of a path that begins at the crate's root, at a parent, or at `self`.
    fn absolute(&self, segments: &[String]) -> Option<Name> {
        let (first, mut rest) = segments.split_first()?;
        let mut at = match first.as_str() {
            "crate" => return Some(rest.to_vec()),
            "self" => self.at.clone(),
            "super" => self.at[..self.at.len() - 1].to_vec(),
            _ => return None,
        };
        while rest.first().is_some_and(|segment| segment == "super") {
            at.pop();
            rest = &rest[1..];
        }
        Some([&at, rest].concat())
    }

    /// As [`Reader::absolute`]; names without a beginning are children of this module.
    fn source(&self, segments: &[String]) -> Name {
        self.absolute(segments).unwrap_or_else(|| [self.at.as_slice(), segments].concat())
    }

    fn tree(&mut self, tree: &syn::UseTree, mut before: Name) {
        match tree {
            syn::UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.tree(&path.tree, before);
            }
            syn::UseTree::Name(name) if name.ident == "self" => {
                let last = before.last().cloned().unwrap_or_default();
                self.import(last, before);
            }
            syn::UseTree::Name(name) => {
                before.push(name.ident.to_string());
                self.import(name.ident.to_string(), before);
            }
            syn::UseTree::Rename(rename) => {
                before.push(rename.ident.to_string());
                self.import(rename.rename.to_string(), before);
            }
            syn::UseTree::Glob(_) => {
                let source = self.source(&before);
                self.module.paths.push(source.clone());
                self.module.globs.push(source);
            }
            syn::UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.tree(tree, before.clone()));
            }
        }
    }

    fn import(&mut self, name: String, path: Name) {
        let source = self.source(&path);
        self.module.paths.push(source.clone());
        self.module.imports.insert(name, source);
    }
}

impl<'a> Visit<'a> for Reader<'a> {
    fn visit_item_mod(&mut self, item: &'a syn::ItemMod) {
        if !is_for_tests(&item.attrs) {
            self.children.push(item);
        }
    }

    fn visit_item_fn(&mut self, item: &'a syn::ItemFn) {
        if !is_for_tests(&item.attrs) {
            syn::visit::visit_item_fn(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'a syn::ItemUse) {
        if !is_for_tests(&item.attrs) {
            self.tree(&item.tree, Vec::new());
        }
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        let segments: Name = path.segments.iter().map(|s| s.ident.to_string()).collect();
        if let Some(absolute) = self.absolute(&segments) {
            self.module.paths.push(absolute);
        }
        syn::visit::visit_path(self, path);
    }
}

/// The modules that depend on themselves, with the cycle.
fn circles(uses: &BTreeMap<String, BTreeMap<String, String>>) -> Vec<String> {
    let reached = |from: &String| {
        let mut seen = BTreeSet::new();
        let mut next = vec![from];
        while let Some(at) = next.pop() {
            for to in uses.get(at).into_iter().flat_map(BTreeMap::keys) {
                if seen.insert(to) {
                    next.push(to);
                }
            }
        }
        seen
    };
    let mut found = Vec::new();
    for (from, targets) in uses {
        for (to, example) in targets {
            if from != to && reached(to).contains(from) {
                found.push(example.clone());
            }
        }
    }
    found
}

fn source(of: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(of).join("src")
}

/// The packages of the workspace, as its manifest lists them.
fn packages() -> Vec<String> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    let text = std::fs::read_to_string(manifest).unwrap();
    let (_, members) = text.split_once("members = [").unwrap();
    let (members, _) = members.split_once(']').unwrap();
    members.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn no_files_of_a_folder_use_each_other_in_a_circle() {
    let mut found = Vec::new();
    let packages = packages();
    assert!(packages.iter().any(|package| package == "nn-core"), "{packages:?}");
    for package in packages {
        for (folder, uses) in Crate::read(&source(&package)).folders() {
            let folder = [&["crate".to_owned()], &folder[..]].concat().join("::");
            let circles = circles(&uses).into_iter();
            found.extend(circles.map(|example| format!("{package}: in {folder}, {example}")));
        }
    }
    assert!(found.is_empty(), "these are parts of a circle:\n{}", found.join("\n"));
}

/// The text between backticks.
fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

#[test]
fn each_crate_of_the_program_uses_what_the_table_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = std::fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let (_, table) = text.split_once("| crate | what it is | uses |\n").unwrap();
    let mut seen = BTreeSet::new();
    for row in table.lines().skip(1).take_while(|line| line.starts_with('|')) {
        let cells: Vec<_> = row.split('|').collect();
        let folder = quoted(cells[1]).next().unwrap().trim_end_matches('/');
        let package = |name: &str| match name.strip_suffix('/') {
            Some(folder) => format!("nn-{folder}"),
            None => name.to_owned(),
        };
        let allowed: BTreeSet<_> = quoted(cells[3]).map(package).collect();
        let manifest = root.join("nn-cli").join(folder).join("Cargo.toml");
        let manifest = std::fs::read_to_string(manifest).unwrap();
        let (_, dependencies) = manifest.split_once("[dependencies]\n").unwrap();
        let dependencies = dependencies.lines().take_while(|line| !line.starts_with('['));
        let names = dependencies.filter_map(|line| line.split(['.', ' ']).next());
        let used: BTreeSet<_> =
            names.filter(|name| name.starts_with("nn-")).map(str::to_owned).collect();
        assert_eq!(used, allowed, "nn-cli/{folder}");
        seen.insert(format!("nn-cli/{folder}"));
    }
    let nested: BTreeSet<_> =
        packages().into_iter().filter(|package| package.starts_with("nn-cli/")).collect();
    assert_eq!(seen, nested);
}

/// A row of the table: its files and folders, and those of other rows that they may use.
struct Floor {
    holds: Vec<Name>,
    may_use: Vec<Name>,
}

/// The table of floors in ARCHITECTURE.md, from the top.
fn floors() -> Vec<Floor> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = std::fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let (_, table) = text.split_once("## Floors of nn-core").unwrap();
    let rows = table.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
    let names = |cell: &str| -> Vec<Name> {
        quoted(cell)
            .map(|path| {
                path.trim_end_matches(".rs")
                    .split('/')
                    .filter(|s| !s.is_empty())
                    .map(str::to_owned)
                    .collect()
            })
            .collect()
    };
    let rows: Vec<_> = rows
        .take_while(|line| line.starts_with('|'))
        .map(|row| row.split('|').map(str::trim).collect::<Vec<_>>())
        .collect();
    let held: Vec<_> = rows.iter().map(|row| names(row[2])).collect();
    let may_use = |(at, row): (usize, &Vec<&str>)| match row[4] {
        "everything below" => held[at + 1..].concat(),
        cell => names(cell),
    };
    let allowed: Vec<_> = rows.iter().enumerate().map(may_use).collect();
    held.into_iter().zip(allowed).map(|(holds, may_use)| Floor { holds, may_use }).collect()
}

#[test]
fn each_floor_of_the_core_uses_what_the_table_says() {
    let floors = floors();
    // Of two nested entries, the longer one counts.
    let floor_of = |module: &Name| {
        let entries = floors
            .iter()
            .enumerate()
            .flat_map(|(at, floor)| floor.holds.iter().map(move |h| (at, h)));
        let fitting = entries.filter(|(_, entry)| module.starts_with(entry));
        fitting.max_by_key(|(_, entry)| entry.len())
    };
    let core = Crate::read(&source("nn-core"));
    let mut seen = BTreeSet::new();
    let mut wrong = Vec::new();
    for (name, target, path) in core.uses().filter(|(name, ..)| !name.is_empty()) {
        let Some((from, _)) = floor_of(name) else {
            wrong.push(format!("{} is in no row", name.join("::")));
            continue;
        };
        let Some((to, entry)) = floor_of(&target) else { continue };
        seen.insert((from, entry.clone()));
        if from != to && !floors[from].may_use.contains(entry) {
            wrong.push(format!("{} uses {}", name.join("::"), path.join("::")));
        }
    }
    // A row that allows unused dependencies does not describe the code.
    for (at, floor) in floors.iter().enumerate() {
        for entry in &floor.may_use {
            let below = floors[at + 1..].iter().any(|below| below.holds.contains(entry));
            if !below {
                wrong.push(format!("{:?} may use {entry:?}, which is not below it", floor.holds));
            }
        }
    }
    for (at, floor) in floors.iter().enumerate() {
        let used: Vec<_> =
            seen.iter().filter(|(from, _)| *from == at).map(|(_, entry)| entry.join("/")).collect();
        println!("{:?} uses {used:?}", floor.holds.iter().map(|h| h.join("/")).collect::<Vec<_>>());
    }
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "not as ARCHITECTURE.md has it:\n{}", wrong.join("\n"));
}
