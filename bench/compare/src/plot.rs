//! The plot: CPU time of each program as a ratio to the first, a strip for each case, drawn by hand as SVG from a table.

use std::fmt::Write;

use crate::table::{CPU, Spread};

const WIDTH: f64 = 960.0;
const LEFT: f64 = 170.0;
/// Between two programs, and around a case.
const LINE: f64 = 6.0;
const MARGIN: f64 = 9.0;
const TOP: f64 = 64.0;
const COLUMNS: usize = 4;

/// What the axis shows; ratios outside are drawn at its ends.
const RATIOS: [f64; 8] = [0.75, 1.0, 1.25, 1.5, 2.0, 4.0, 8.0, 16.0];

/// A palette that colour-blind readers can tell apart (Okabe and Ito), ours first.
const COLOURS: [&str; 8] = ["#d55e00", "#e69f00", "#0072b2", "#009e73", "#56b4e9", "#cc79a7", "#7f7f7f", "#000000"];

/// A case, and the ratio of each program that took part.
struct Strip<'a> {
    case: &'a str,
    programs: Vec<(&'a str, Option<Spread>)>,
}

impl Strip<'_> {
    fn height(&self) -> f64 {
        2.0 * MARGIN + LINE * self.programs.len() as f64
    }
}

/// The rows of a table that have ratios of CPU time.
fn strips(table: &str) -> Vec<Strip<'_>> {
    let mut column = None;
    let mut strips: Vec<Strip> = Vec::new();
    for line in table.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let &[case, name, ..] = cells.as_slice() else { continue };
        if case == "case" {
            column = cells.iter().position(|&cell| cell == CPU).map(|cpu| cpu + 1);
            continue;
        }
        let Some(column) = column else { continue };
        if !case.is_empty() {
            strips.push(Strip { case, programs: Vec::new() });
        }
        if let Some(strip) = strips.last_mut() {
            strip.programs.push((name, cells.get(column).and_then(|cell| Spread::parse(cell))));
        }
    }
    strips
}

pub(crate) fn svg(table: &str, caption: &str) -> String {
    let strips = strips(table);
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in strips.iter().flat_map(|strip| &strip.programs) {
        if !names.contains(name) {
            names.push(name);
        }
    }
    let legend = names.len().div_ceil(COLUMNS) as f64 * 18.0;
    let bottom = TOP + legend + strips.iter().map(Strip::height).sum::<f64>();
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {:.0}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
        bottom + 30.0
    );
    text(&mut svg, 12.0, 22.0, "start", "CPU time as a ratio to the first program of each case (lower is better)");
    text(&mut svg, 12.0, 40.0, "start", caption);
    for (index, name) in names.iter().enumerate() {
        let (x, y) = (12.0 + (index % COLUMNS) as f64 * 235.0, TOP + (index / COLUMNS) as f64 * 18.0);
        dot(&mut svg, x + 6.0, y - 4.0, name, "");
        text(&mut svg, x + 18.0, y, "start", name);
    }
    for ratio in RATIOS {
        let x = place(ratio);
        let colour = if ratio == 1.0 { "#666" } else { "#ddd" };
        let top = TOP + legend - 4.0;
        let _ = writeln!(svg, "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{top}\" y2=\"{bottom}\" stroke=\"{colour}\"/>");
        text(&mut svg, x, bottom + 16.0, "middle", &ratio.to_string());
    }
    let mut top = TOP + legend;
    for strip in &strips {
        text(&mut svg, LEFT - 12.0, top + strip.height() / 2.0 + 2.0, "end", strip.case);
        for (program, (name, ratio)) in strip.programs.iter().enumerate() {
            let y = top + MARGIN + LINE * program as f64;
            let Some(ratio) = ratio else { continue };
            let colour = colour(name);
            let (from, to) = (place(ratio.min), place(ratio.max));
            let _ = writeln!(
                svg,
                "<line x1=\"{from:.1}\" x2=\"{to:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"{colour}\"/>"
            );
            dot(&mut svg, place(ratio.median), y, name, &format!("{name}: {:.2}", ratio.median));
        }
        top += strip.height();
    }
    svg + "</svg>\n"
}

/// Where a ratio stands on the logarithmic axis.
fn place(ratio: f64) -> f64 {
    let (first, last) = (RATIOS[0], RATIOS[RATIOS.len() - 1]);
    LEFT + (ratio.clamp(first, last) / first).ln() / (last / first).ln() * (WIDTH - LEFT - 30.0)
}

/// A library has one colour, whatever its form.
pub(crate) fn colour(name: &str) -> &'static str {
    let libraries = [
        "ws-tokio",
        "ws-proto",
        "fastwebsockets",
        "tokio-tungstenite",
        "tokio-websockets",
        "sockudo-ws",
        "raw",
        "minimum",
    ];
    let other = match name.split(',').next() {
        Some("yawc") => "#8b4513",
        Some("ws-tungstenite") => "#006d5b",
        Some("uWebSockets") => "#b2182b",
        Some("soketto") => "#1b7837",
        Some("npm ws" | "Python websockets") => "#999933",
        _ => "#6a3d9a",
    };
    libraries.iter().position(|library| name.starts_with(library)).map_or(other, |index| COLOURS[index])
}

/// Filled, or hollow for a library as its README shows it.
fn dot(svg: &mut String, x: f64, y: f64, name: &str, title: &str) {
    let (colour, fill) = (colour(name), if name.ends_with("loop") { "white" } else { colour(name) });
    let _ = writeln!(
        svg,
        "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" stroke=\"{colour}\" fill=\"{fill}\"><title>{}</title></circle>",
        escaped(title)
    );
}

pub(crate) fn text(svg: &mut String, x: f64, y: f64, anchor: &str, text: &str) {
    let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{}</text>", escaped(text));
}

pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_with_ratios_of_cpu_time_are_drawn() {
        let table = "\
caption

| case | program | per second | ratio | CPU each | ratio | busy |
|:-----|:--------|-----------:|------:|---------:|------:|-----:|
| 16B 1x1 | raw tokio TCP | 10 ±1% | 1 | 17.3 µs ±35% | 1 | 99% |
| | ws-tokio | 9 ±1% | 0.95 (0.76–1.31) | 23.8 µs ±47% | 1.15 (0.84–1.33) | 99% |
| | other | absent |

| case | program | KiB each, open |
|:-----|:--------|---------------:|
| idle 10 | ws-tokio | 2.33 |
";
        let strips = strips(table);
        assert_eq!(strips.iter().map(|strip| strip.case).collect::<Vec<_>>(), ["16B 1x1"]);
        let ratios = strips[0]
            .programs
            .iter()
            .map(|(name, ratio)| (*name, ratio.as_ref().map(|ratio| [ratio.median, ratio.min, ratio.max])));
        let expected = [("raw tokio TCP", Some([1.0; 3])), ("ws-tokio", Some([1.15, 0.84, 1.33])), ("other", None)];
        assert!(ratios.eq(expected));
        assert!(svg(table, "caption").contains("<title>ws-tokio: 1.15</title>"));
    }
}
