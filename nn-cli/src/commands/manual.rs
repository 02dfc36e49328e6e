//! `nn-cli completions` and `nn-cli man`: shell completions and manual pages.

use crate::args::{CompletionsArgs, ManArgs, arranged};
use crate::failure::Failure;
use crate::ui::Console;
use clap::Command;
use clap_mangen::Man;
use nn_core::Error;
use nn_core::files::write_atomically;
use nn_staging::CreatedFolders;
use nn_study::format;

/// The program's name for shells and `man`.
const NAME: &str = "nn-cli";

pub fn completions(args: &CompletionsArgs, console: &Console) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut arranged(), NAME, &mut script);
    print(&String::from_utf8_lossy(&script), console)
}

pub fn pages(args: &ManArgs, console: &Console) -> Result<(), Failure> {
    let mut program = arranged();
    program.build();
    let Some(folder) = &args.dir else {
        let page = page(program)?;
        return print(&String::from_utf8_lossy(&page), console);
    };
    let mut pages = Vec::new();
    collect(program, String::new(), &mut pages)?;
    let _created = CreatedFolders::make(folder)?;
    for (name, page) in &pages {
        write_atomically(&folder.join(name), |file| file.write_all(page))?;
    }
    let told = format!("{} in {}", format::plural(pages.len() as u64, "page"), folder.display());
    console.text(&told)?;
    Ok(console.json(&pages.iter().map(|(name, _)| folder.join(name)).collect::<Vec<_>>())?)
}

/// Prints text for another program, without wrapping its lines.
fn print(text: &str, console: &Console) -> Result<(), Failure> {
    console.raw(text)?;
    Ok(console.json(text)?)
}

/// Collects the pages of a command and of its subcommands, with their file names.
fn collect(
    command: Command,
    above: String,
    pages: &mut Vec<(String, Vec<u8>)>,
) -> Result<(), Failure> {
    let name = format!("{above}{}", command.get_name());
    for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
        collect(below.clone(), format!("{name}-"), pages)?;
    }
    pages.push((format!("{name}.1"), page(command.display_name(name.clone()))?));
    Ok(())
}

fn page(command: Command) -> Result<Vec<u8>, Failure> {
    let mut page = Vec::new();
    Man::new(command).render(&mut page).map_err(Error::io("write", NAME.as_ref()))?;
    Ok(page)
}
