//! The plot: CPU time of each program as a ratio to the first, a strip for each case, drawn by hand as SVG.

use std::fmt::Write;

use crate::table::Outcome;

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

pub(crate) fn svg(outcomes: &[Outcome], caption: &str) -> String {
    let outcomes: Vec<&Outcome> = outcomes.iter().filter(|outcome| outcome.is_speed()).collect();
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in outcomes.iter().flat_map(|outcome| &outcome.programs) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    let legend = names.len().div_ceil(COLUMNS) as f64 * 18.0;
    let height = |outcome: &Outcome| 2.0 * MARGIN + LINE * outcome.programs.len() as f64;
    let bottom = TOP + legend + outcomes.iter().map(|outcome| height(outcome)).sum::<f64>();
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
    for outcome in outcomes {
        text(&mut svg, LEFT - 12.0, top + height(outcome) / 2.0 + 2.0, "end", &outcome.case.to_string());
        for (program, (name, _)) in outcome.programs.iter().enumerate() {
            let y = top + MARGIN + LINE * program as f64;
            let Some(ratio) = outcome.ratio(program, |speed| speed.cpu) else { continue };
            let colour = colour(name);
            let (from, to) = (place(ratio.min), place(ratio.max));
            let _ = writeln!(
                svg,
                "<line x1=\"{from:.1}\" x2=\"{to:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"{colour}\"/>"
            );
            dot(&mut svg, place(ratio.median), y, name, &format!("{name}: {:.2}", ratio.median));
        }
        top += height(outcome);
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
