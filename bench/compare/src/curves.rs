//! Whether cost stays flat: CPU time over what grows, one panel for each, drawn by hand as SVG.

use std::fmt::Write;

use crate::case::{Case, Kind};
use crate::plot::{colour, escaped, text};
use crate::table::Outcome;

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 190.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 30.0;
const TOP: f64 = 100.0;
/// From the bottom of one panel to the top of the next.
const GAP: f64 = 70.0;

/// What is drawn over what.
struct Panel {
    title: &'static str,
    /// The place of a case on the logarithmic axis, for those that belong here.
    x: fn(&Case) -> Option<f64>,
    /// What seconds of CPU time for each are shown as.
    y: fn(&Case, f64) -> f64,
}

const PANELS: [Panel; 4] = [
    Panel {
        title: "µs per 16-byte message, over open connections, of which 10 are in use",
        x: |case| is_small(case).then_some(case.row.open as f64).filter(|_| case.row.connections == 10),
        y: |_, cpu| cpu * 1e6,
    },
    Panel {
        title: "µs per 16-byte message, over connections in use",
        x: |case| is_small(case).then_some(case.row.open as f64).filter(|_| case.row.connections == case.row.open),
        y: |_, cpu| cpu * 1e6,
    },
    Panel {
        title: "ns per byte, over the size of messages in bytes",
        x: |case| (is_plain_echo(case) && case.row.size >= 1024).then_some(case.row.size as f64),
        y: |case, cpu| cpu * 1e9 / case.row.size as f64,
    },
    Panel {
        title: "µs per ping sent and answered, over connections that are sent one a second",
        x: |case| (case.kind == Kind::Keepalive).then_some(case.row.connections as f64),
        y: |_, cpu| cpu * 1e6,
    },
];

fn is_plain_echo(case: &Case) -> bool {
    case.kind == Kind::Echo && case.deflate.is_none()
}

fn is_small(case: &Case) -> bool {
    is_plain_echo(case) && case.row.size == 16 && case.row.in_flight == 1
}

pub(crate) fn svg(outcomes: &[Outcome], caption: &str) -> String {
    let panels = PANELS.iter().map(|panel| (panel, panel.curves(outcomes)));
    // A curve has two points at least.
    let panels: Vec<_> = panels.filter(|(_, curves)| curves.iter().any(|curve| curve.points.len() > 1)).collect();
    let height = TOP + panels.len() as f64 * (HEIGHT + GAP);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    text(&mut svg, 12.0, 22.0, "start", "CPU time of the server, median of the rounds, and from the least to the most");
    text(&mut svg, 12.0, 40.0, "start", caption);
    let mut names: Vec<&str> = Vec::new();
    for curve in panels.iter().flat_map(|(_, curves)| curves) {
        if !names.contains(&curve.name) {
            names.push(curve.name);
        }
    }
    for (index, name) in names.iter().enumerate() {
        let x = 12.0 + index as f64 * 180.0;
        let _ = writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"60\" r=\"4\" fill=\"{}\"/>", colour(name));
        text(&mut svg, x + 10.0, 64.0, "start", name);
    }
    for (index, (panel, curves)) in panels.iter().enumerate() {
        panel.draw(&mut svg, curves, TOP + index as f64 * (HEIGHT + GAP));
    }
    svg + "</svg>\n"
}

struct Curve<'o> {
    name: &'o str,
    points: Vec<Point>,
}

/// A place on the axis; median, least and most there.
struct Point {
    x: f64,
    y: f64,
    least: f64,
    most: f64,
}

impl Panel {
    fn curves<'o>(&self, outcomes: &'o [Outcome]) -> Vec<Curve<'o>> {
        let mut curves: Vec<Curve<'_>> = Vec::new();
        for outcome in outcomes {
            let Some(x) = (self.x)(&outcome.case) else { continue };
            for (program, (name, _)) in outcome.programs.iter().enumerate() {
                let Some(cpu) = outcome.cpu(program) else { continue };
                let y = |cpu| (self.y)(&outcome.case, cpu);
                let point = Point { x, y: y(cpu.median), least: y(cpu.min), most: y(cpu.max) };
                match curves.iter_mut().find(|curve| curve.name == name) {
                    Some(curve) => curve.points.push(point),
                    None => curves.push(Curve { name, points: vec![point] }),
                }
            }
        }
        for curve in &mut curves {
            curve.points.sort_by(|one, other| one.x.total_cmp(&other.x));
        }
        curves
    }

    fn draw(&self, svg: &mut String, curves: &[Curve<'_>], top: f64) {
        let points = || curves.iter().flat_map(|curve| &curve.points);
        let (first, last) = points().fold((f64::MAX, 0.0_f64), |(first, last), p| (first.min(p.x), last.max(p.x)));
        let most = points().fold(0.0_f64, |most, point| most.max(point.most));
        let step = step(most);
        let ceiling = (most / step).ceil() * step;
        let place_x = |x: f64| LEFT + (x / first).ln() / (last / first).ln().max(1e-9) * (WIDTH - LEFT - RIGHT);
        let place_y = |y: f64| top + HEIGHT * (1.0 - y / ceiling);
        text(svg, LEFT, top - 10.0, "start", self.title);
        let (mut line, digits) = (0.0, if step < 1.0 { 2 } else { 0 });
        while line <= ceiling + step / 2.0 {
            let y = place_y(line);
            let right = WIDTH - RIGHT;
            let _ = writeln!(svg, "<line x1=\"{LEFT}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"#ddd\"/>");
            text(svg, LEFT - 8.0, y + 4.0, "end", &format!("{line:.digits$}"));
            line += step;
        }
        let mut places: Vec<f64> = points().map(|point| point.x).collect();
        places.sort_by(f64::total_cmp);
        places.dedup();
        for x in places {
            text(svg, place_x(x), top + HEIGHT + 18.0, "middle", &size(x));
        }
        for curve in curves {
            curve.draw(svg, place_x, place_y);
        }
    }
}

impl Curve<'_> {
    fn draw(&self, svg: &mut String, place_x: impl Fn(f64) -> f64, place_y: impl Fn(f64) -> f64) {
        let colour = colour(self.name);
        let line: Vec<_> =
            self.points.iter().map(|point| format!("{:.1},{:.1}", place_x(point.x), place_y(point.y))).collect();
        let _ = writeln!(svg, "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\"/>", line.join(" "));
        for point in &self.points {
            let (x, y) = (place_x(point.x), place_y(point.y));
            let (least, most) = (place_y(point.least), place_y(point.most));
            let _ = writeln!(
                svg,
                "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{least:.1}\" y2=\"{most:.1}\" stroke=\"{colour}\"/>\n\
                 <circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"{colour}\"><title>{}: {:.3}</title></circle>",
                escaped(self.name),
                point.y
            );
        }
    }
}

/// Between two lines of the grid: about five of them, at 1, 2 or 5 times a power of ten.
fn step(most: f64) -> f64 {
    let rough = (most / 5.0).max(1e-9);
    let power = 10_f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|factor| factor * power >= rough);
    factor.unwrap_or(10.0) * power
}

fn size(number: f64) -> String {
    const KIB: f64 = 1024.0;
    match number {
        n if n >= KIB * KIB && n % (KIB * KIB) == 0.0 => format!("{} Mi", n / KIB / KIB),
        n if n >= KIB && n % KIB == 0.0 => format!("{} Ki", n / KIB),
        n => n.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grids_have_round_steps() {
        for (most, expected) in [(0.9, 0.2), (4.0, 1.0), (13.0, 5.0), (100.0, 20.0)] {
            assert!((step(most) - expected).abs() < 1e-9, "{most}: {}", step(most));
        }
        assert_eq!([size(10.0), size(1000.0), size(65536.0), size(67108864.0)], ["10", "1000", "64 Ki", "64 Mi"]);
    }

    #[test]
    fn every_case_of_the_group_is_on_a_curve() {
        for case in Case::group("flat").unwrap() {
            assert!(PANELS.iter().any(|panel| (panel.x)(&case).is_some()), "{case}");
        }
    }
}
