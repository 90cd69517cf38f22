//! The chart of a benchmark: latency over its percentiles, as SVG.

use std::fmt::Write as _;

use super::report::time;
use super::tally::Times;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 400.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 48.0;
const BOTTOM: f64 = 48.0;

/// The percentiles on the axis. The distance from one to the next is the number of nines between them.
const PERCENTILES: [f64; 6] = [0.0, 0.9, 0.99, 0.999, 0.9999, 0.99999];

/// The points of the curve between two nines.
const POINTS: u32 = 40;

/// Draws the curve, up to the percentile for which there are messages enough.
pub(super) fn svg(latency: &Times, title: &str) -> String {
    let nines = ((latency.len().max(10) as f64).log10()).clamp(1.0, 5.0);
    let top = axis_end(latency.value_at_quantile(quantile(nines)).max(1));
    let x = |nine: f64| LEFT + nine / nines * (WIDTH - LEFT - RIGHT);
    let y = |nanoseconds: f64| HEIGHT - BOTTOM - nanoseconds / top * (HEIGHT - TOP - BOTTOM);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <style>\n  text {{ fill: #222 }} .grid {{ stroke: #ccc }} .curve {{ stroke: #0072b2; fill: none; stroke-width: 2 }}\n\
         @media (prefers-color-scheme: dark) {{ text {{ fill: #ddd }} .grid {{ stroke: #555 }} .curve {{ stroke: #56b4e9 }} }}\n\
         </style>\n<title>Latency</title>\n\
         <text x=\"{LEFT}\" y=\"20\" font-size=\"14\">Latency: {title}</text>\n"
    );
    for step in 0..=4 {
        let value = top * f64::from(step) / 4.0;
        let at = y(value);
        let _ = writeln!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{at:.1}\" x2=\"{:.1}\" y2=\"{at:.1}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            WIDTH - RIGHT,
            LEFT - 8.0,
            at + 4.0,
            time(value as u64)
        );
    }
    for (nine, percentile) in PERCENTILES.iter().enumerate().filter(|(nine, _)| *nine as f64 <= nines) {
        let at = x(nine as f64);
        let _ = writeln!(
            svg,
            "<line class=\"grid\" x1=\"{at:.1}\" y1=\"{TOP}\" x2=\"{at:.1}\" y2=\"{:.1}\"/>\
             <text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{} %</text>",
            HEIGHT - BOTTOM,
            HEIGHT - BOTTOM + 18.0,
            percentile * 100.0
        );
    }
    let last = (nines * f64::from(POINTS)) as u32;
    let points: Vec<_> = (0..=last)
        .map(|point| {
            let nine = f64::from(point) / f64::from(POINTS);
            format!("{:.1},{:.1}", x(nine), y(latency.value_at_quantile(quantile(nine)) as f64))
        })
        .collect();
    let _ = writeln!(svg, "<polyline class=\"curve\" points=\"{}\"/>", points.join(" "));
    let _ = writeln!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">percentile of the messages</text>\n</svg>",
        LEFT + (WIDTH - LEFT - RIGHT) / 2.0,
        HEIGHT - 8.0
    );
    svg
}

/// The quantile with so many nines: 0, 0.9, 0.99.
fn quantile(nines: f64) -> f64 {
    1.0 - 10f64.powf(-nines)
}

/// The next larger number of the form 1, 2 or 5 times a power of ten.
fn axis_end(value: u64) -> f64 {
    let value = value as f64;
    let power = 10f64.powf(value.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|step| step * power).find(|end| *end >= value).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::tally::Tally;

    #[test]
    fn the_axis_ends_above_the_values() {
        for (value, end) in [(1, 1.0), (3, 5.0), (51, 100.0), (100, 100.0), (123_456, 200_000.0)] {
            assert!((axis_end(value) - end).abs() < 1e-6, "{value}");
        }
    }

    #[test]
    fn a_chart_is_drawn_from_no_times_and_from_many() {
        let mut times = Tally::new().latency;
        assert!(svg(&times, "none").ends_with("</svg>\n"));
        (1..=100_000u64).for_each(|time| times.record(time * 1000).unwrap());
        let chart = svg(&times, "many");
        assert!(chart.contains("99.99 %</text>") && chart.contains("100 ms</text>"), "{chart}");
        assert!(!chart.contains("NaN") && !chart.contains("inf"));
    }
}
