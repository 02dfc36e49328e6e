//! The public API of nn-core: every public path, compared with `tests/fixtures/public_api.txt`.
//!
//! A path that is added, removed or renamed fails this test until the list is updated, so that
//! nothing becomes public by accident. To update the list after an intended change:
//!
//! ```sh
//! NN_BLESS=1 cargo test -p nn-core --test surface
//! ```
//!
//! The sources are parsed with all features on. `#[doc(hidden)]` items are not part of the API.
//! Methods from macros and derived traits are not listed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Names from the crate's root.
type Name = Vec<String>;

#[derive(Default)]
struct Module {
    /// The items it defines: kind, whether public, and the item, by name.
    items: BTreeMap<String, Item>,
    /// Its imports: local name, source, whether re-exported.
    imports: Vec<(String, Name, bool)>,
    /// Modules with glob re-exports.
    globs: Vec<Name>,
}

struct Item {
    kind: &'static str,
    is_public: bool,
    /// Public fields, variants, and a trait's own items.
    parts: Vec<String>,
}

#[derive(Default)]
struct Crate {
    modules: BTreeMap<Name, Module>,
    /// Public methods and constants, by the path that defines their type.
    methods: BTreeMap<Name, BTreeSet<String>>,
    impls: Vec<(Name, syn::ItemImpl)>,
}

/// Code for tests alone, or hidden from documentation.
fn is_left_out(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        syn::Meta::List(list) => {
            let tokens = list.tokens.to_string();
            (list.path.is_ident("cfg") && tokens == "test")
                || (list.path.is_ident("doc") && tokens == "hidden")
        }
        _ => false,
    })
}

fn is_public(visibility: &syn::Visibility) -> bool {
    matches!(visibility, syn::Visibility::Public(_))
}

impl Crate {
    fn read(source: &Path) -> Self {
        let mut this = Self::default();
        this.file(&source.join("lib.rs"), source, Vec::new());
        for (at, item) in std::mem::take(&mut this.impls) {
            this.methods(&at, &item);
        }
        this
    }

    fn file(&mut self, file: &Path, folder: &Path, at: Name) {
        let text = std::fs::read_to_string(file).unwrap();
        let parsed = syn::parse_file(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        self.items(parsed.items, folder, at);
    }

    fn items(&mut self, items: Vec<syn::Item>, folder: &Path, at: Name) {
        self.modules.insert(at.clone(), Module::default());
        for item in items {
            self.item(item, folder, &at);
        }
    }

    fn item(&mut self, item: syn::Item, folder: &Path, at: &Name) {
        let (kind, ident, attributes, visibility, parts) = match item {
            syn::Item::Mod(item) => {
                if !is_left_out(&item.attrs) {
                    self.child(item, folder, at);
                }
                return;
            }
            syn::Item::Use(item) => {
                if !is_left_out(&item.attrs) {
                    self.import(&item.tree, Vec::new(), is_public(&item.vis), at);
                }
                return;
            }
            syn::Item::Impl(item) => {
                if item.trait_.is_none() && !is_left_out(&item.attrs) {
                    self.impls.push((at.clone(), item));
                }
                return;
            }
            syn::Item::Const(item) => ("const", item.ident, item.attrs, item.vis, vec![]),
            syn::Item::Fn(item) => ("fn", item.sig.ident, item.attrs, item.vis, vec![]),
            syn::Item::Type(item) => ("type", item.ident, item.attrs, item.vis, vec![]),
            syn::Item::Enum(item) => {
                let parts = item.variants.iter().map(|variant| variant.ident.to_string());
                ("enum", item.ident, item.attrs, item.vis, parts.collect())
            }
            syn::Item::Struct(item) => {
                let fields = item.fields.iter().filter(|field| is_public(&field.vis));
                let parts = fields.filter_map(|field| Some(field.ident.as_ref()?.to_string()));
                ("struct", item.ident, item.attrs, item.vis, parts.collect())
            }
            syn::Item::Trait(item) => {
                let parts = item.items.iter().filter_map(|item| match item {
                    syn::TraitItem::Fn(item) => Some(item.sig.ident.to_string()),
                    syn::TraitItem::Const(item) => Some(item.ident.to_string()),
                    syn::TraitItem::Type(item) => Some(item.ident.to_string()),
                    _ => None,
                });
                ("trait", item.ident, item.attrs, item.vis, parts.collect())
            }
            _ => return,
        };
        if !is_left_out(&attributes) {
            let item = Item { kind, is_public: is_public(&visibility), parts };
            self.modules.entry(at.clone()).or_default().items.insert(ident.to_string(), item);
        }
    }

    fn child(&mut self, item: syn::ItemMod, folder: &Path, at: &Name) {
        let ident = item.ident.to_string();
        let below = [at.as_slice(), std::slice::from_ref(&ident)].concat();
        let module = Item { kind: "mod", is_public: is_public(&item.vis), parts: Vec::new() };
        self.modules.entry(at.clone()).or_default().items.insert(ident.clone(), module);
        match item.content {
            Some((_, items)) => self.items(items, &folder.join(&ident), below),
            None => {
                let flat = folder.join(format!("{ident}.rs"));
                let nested: PathBuf = folder.join(&ident).join("mod.rs");
                let file = if flat.exists() { flat } else { nested };
                self.file(&file, &folder.join(&ident), below);
            }
        }
    }

    fn import(&mut self, tree: &syn::UseTree, mut before: Name, is_public: bool, at: &Name) {
        match tree {
            syn::UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.import(&path.tree, before, is_public, at);
            }
            syn::UseTree::Group(group) => {
                for tree in &group.items {
                    self.import(tree, before.clone(), is_public, at);
                }
            }
            syn::UseTree::Glob(_) if is_public => {
                let source = absolute(at, &before);
                self.modules.entry(at.clone()).or_default().globs.push(source);
            }
            syn::UseTree::Glob(_) => {}
            syn::UseTree::Name(_) | syn::UseTree::Rename(_) => {
                let (name, as_name) = match tree {
                    syn::UseTree::Rename(rename) => (&rename.ident, &rename.rename),
                    syn::UseTree::Name(name) => (&name.ident, &name.ident),
                    _ => return,
                };
                let (source, name) = if name == "self" {
                    (before.clone(), before.last().cloned().unwrap_or_default())
                } else {
                    ([before.as_slice(), &[name.to_string()]].concat(), as_name.to_string())
                };
                let import = (name, absolute(at, &source), is_public);
                self.modules.entry(at.clone()).or_default().imports.push(import);
            }
        }
    }

    /// The item or module that `path`, from the root, names, through imports.
    fn defines(&self, path: &[String], depth: usize) -> Option<Name> {
        if self.modules.contains_key(path) {
            return Some(path.to_vec());
        }
        let (name, parent) = path.split_last()?;
        let parent = self.defines(parent, depth)?;
        let module = self.modules.get(&parent)?;
        if module.items.contains_key(name) {
            return Some([parent.as_slice(), std::slice::from_ref(name)].concat());
        }
        let mut imports = module.imports.iter();
        let (_, source, _) = imports.find(|(import, ..)| import == name)?;
        (depth < 20).then(|| self.defines(source, depth + 1)).flatten()
    }

    fn methods(&mut self, at: &Name, item: &syn::ItemImpl) {
        let syn::Type::Path(path) = &*item.self_ty else { return };
        let named: Name = path.path.segments.iter().map(|s| s.ident.to_string()).collect();
        let Some(owner) = self.defines(&absolute(at, &named), 0) else { return };
        let known = self.methods.entry(owner).or_default();
        for item in &item.items {
            match item {
                syn::ImplItem::Fn(item) if is_public(&item.vis) && !is_left_out(&item.attrs) => {
                    known.insert(item.sig.ident.to_string());
                }
                syn::ImplItem::Const(item) if is_public(&item.vis) => {
                    known.insert(item.ident.to_string());
                }
                _ => {}
            }
        }
    }

    /// Adds everything that can be named under `shown`, the public path of the module `at`.
    fn list(&self, at: &Name, shown: &str, into: &mut BTreeSet<String>) {
        let Some(module) = self.modules.get(at) else { return };
        for (name, item) in module.items.iter().filter(|(_, item)| item.is_public) {
            let path = [at.as_slice(), std::slice::from_ref(name)].concat();
            self.show(&path, item, &format!("{shown}::{name}"), into);
        }
        for (name, source, _) in module.imports.iter().filter(|(.., is_public)| *is_public) {
            let Some(path) = self.defines(source, 0) else { continue };
            let Some((own, parent)) = path.split_last() else { continue };
            let Some(item) = self.modules[parent].items.get(own) else { continue };
            self.show(&path, item, &format!("{shown}::{name}"), into);
        }
        for source in &module.globs {
            if let Some(path) = self.defines(source, 0) {
                self.list(&path, shown, into);
            }
        }
    }

    fn show(&self, path: &Name, item: &Item, shown: &str, into: &mut BTreeSet<String>) {
        if item.kind == "mod" {
            self.list(path, shown, into);
            return;
        }
        into.insert(format!("{shown}: {}", item.kind));
        let methods = self.methods.get(path).into_iter().flatten();
        for part in item.parts.iter().chain(methods) {
            into.insert(format!("{shown}::{part}"));
        }
    }
}

/// A path from the root, of one written in the module `at`.
fn absolute(at: &[String], path: &[String]) -> Name {
    let mut from = at.to_vec();
    let mut rest = path;
    while let Some((first, after)) = rest.split_first() {
        match first.as_str() {
            "crate" => from.clear(),
            "self" => {}
            "super" => drop(from.pop()),
            _ => break,
        }
        rest = after;
    }
    [from.as_slice(), rest].concat()
}

#[test]
fn what_programs_can_name_is_what_is_meant() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = BTreeSet::new();
    Crate::read(&here.join("src")).list(&Vec::new(), "nn_core", &mut found);
    let list = here.join("../tests/fixtures/public_api.txt");
    if std::env::var_os("NN_BLESS").is_some() {
        let text: String = found.iter().flat_map(|path| [path.as_str(), "\n"]).collect();
        std::fs::write(&list, text).unwrap();
    }
    let text = std::fs::read_to_string(&list).unwrap();
    let meant: BTreeSet<String> = text.lines().map(str::to_owned).collect();
    let more: Vec<_> = found.difference(&meant).collect();
    let less: Vec<_> = meant.difference(&found).collect();
    assert!(
        more.is_empty() && less.is_empty(),
        "not in tests/fixtures/public_api.txt: {more:#?}\nonly there: {less:#?}\n\
         if it is meant, NN_BLESS=1 writes the list anew"
    );
    // The reader sees what there is: methods, fields, variants, and what is brought in from elsewhere.
    for known in [
        "nn_core::Tensor: struct",
        "nn_core::autograd::Tape::relu",
        "nn_core::layers::Conv2D::filters",
        "nn_core::layers::Padding::Same",
        "nn_core::Error::Shape",
    ] {
        assert!(found.contains(known), "{known}");
    }
    let hidden = ["internals", "raw_gemm", "STREAMED", "parallel::", "write_atomically"];
    let leaked: Vec<_> =
        found.iter().filter(|path| hidden.iter().any(|name| path.contains(name))).collect();
    assert!(leaked.is_empty(), "{leaked:?}");
}
