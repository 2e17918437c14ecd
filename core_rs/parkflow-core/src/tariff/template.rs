//! `template: NAME`: a tariff text that starts from another one. Written out before anything else is read.
//!
//! The text's own fields replace the template's; its plans are merged with the template's plans of the same id field by
//! field, and new plans come first, so that under `choose: first` a special plan wins. `id` is always the text's own.

use super::error::{shown, TariffError};
use super::place::Place;
use super::text::{read, Node, Value};

/// Most templates between a text and the one that names no other.
const TEMPLATES_MAX: usize = 4;

/// Gives the text of a template by its name.
pub(super) type Find<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The tree with its templates written into it; without `find` a template is refused.
pub(super) fn write_out(root: Node, find: Option<Find<'_>>) -> Result<Node, TariffError> {
    write_out_within(root, find, &mut Vec::new())
}

fn write_out_within(mut root: Node, find: Option<Find<'_>>, within: &mut Vec<String>) -> Result<Node, TariffError> {
    let Some(named) = root.take("template") else {
        return Ok(root);
    };
    let place = Place::at(&named, "template".to_owned());
    let name = place.name()?.to_owned();
    let find = find.ok_or_else(|| {
        place.invalid("templates are not known here; pass them when the text is loaded, or write the tariff out")
    })?;
    if within.contains(&name) {
        let way = within.join(" → ");
        return Err(place.invalid(format!("the templates run in a circle: {way} → {name}")));
    }
    if within.len() >= TEMPLATES_MAX {
        return Err(place.invalid(format!(
            "more than {TEMPLATES_MAX} templates, one from the other; name a nearer one"
        )));
    }
    let text = find(&name)
        .ok_or_else(|| place.invalid(format!("there is no template `{}`; check its spelling", shown(&name))))?;
    within.push(name.clone());
    let mut base = read(&text)
        .and_then(|base| write_out_within(base, Some(find), within))
        .map_err(|error| place.invalid(format!("in the template `{}`, {error}", shown(&name))))?;
    if !matches!(base.value, Value::Map(_)) {
        return Err(place.invalid(format!("the template `{}` has no fields", shown(&name))));
    }
    // The author of this text finds the template where it is named.
    base.move_to_line(named.line);
    base.take("id");
    Ok(merged(base, root))
}

/// The fields of `base` under those of `own`.
fn merged(mut base: Node, own: Node) -> Node {
    let line = own.line;
    let Value::Map(entries) = own.value else {
        return Node { line, ..own };
    };
    for (name, node) in entries {
        let below = base.take(&name);
        let node = match (name.as_str(), below) {
            ("plans", Some(below)) => merged_plans(below, node),
            ("dates", Some(below)) => over(below, node),
            _ => node,
        };
        base.put(&name, node);
    }
    base.line = line;
    base
}

/// A map with the fields of another put over its own; anything else is replaced.
pub(super) fn over(mut base: Node, own: Node) -> Node {
    match (&base.value, own.value) {
        (Value::Map(_), Value::Map(entries)) => {
            for (name, node) in entries {
                base.take(&name);
                base.put(&name, node);
            }
            base.line = own.line;
            base
        }
        (_, value) => Node { line: own.line, value },
    }
}

fn merged_plans(base: Node, own: Node) -> Node {
    let (Value::List(mut below), Value::List(plans)) = (base.value, own.value.clone()) else {
        return own;
    };
    let mut first: Vec<Node> = Vec::new();
    let mut met: Vec<String> = Vec::new();
    for plan in plans {
        // A second plan of one id stays a second plan and is refused as one.
        let id = plan.text_at("id").filter(|id| !met.contains(id));
        let same = id
            .as_ref()
            .and_then(|id| below.iter_mut().find(|other| other.text_at("id").as_ref() == Some(id)));
        match same {
            Some(other) => *other = over(std::mem::take(other), plan),
            None => first.push(plan),
        }
        met.extend(id);
    }
    first.append(&mut below);
    Node {
        line: own.line,
        value: Value::List(first),
    }
}
