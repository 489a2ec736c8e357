//! Charts of the page, as inline SVG.
//!
//! Coordinates are rounded to a tenth, so that equal reports give equal pages.

use crate::report::model::{HistogramReport, MeasurementReport};
use crate::verdict::format_number;
use maud::{Markup, html};

/// Margins to either side of zero that an interval plot shows.
const REACH: f64 = 2.5;

/// Width and height of an interval plot, in its own units.
const PLOT: (f64, f64) = (260.0, 34.0);

/// Width and height of a distribution, in its own units.
const SPREAD: (f64, f64) = (320.0, 132.0);

/// Space left for labels under a distribution.
const FOOT: f64 = 20.0;

/// Draws the shifts of one measurement against its margin, all in units of the margin.
///
/// # Edge cases
/// A shift beyond the plot is drawn as an arrow at its edge. Without a margin above 0 there is
/// no scale and nothing is drawn.
pub(super) fn interval(measurement: &MeasurementReport) -> Markup {
    let Some(margin) = measurement.margin.filter(|margin| *margin > 0.0) else {
        return html! { span.soft.small { "no margin: nothing may move" } };
    };
    let x = |value: f64| {
        let place = (value / margin).clamp(-REACH, REACH);
        round_to_tenth(PLOT.0 / 2.0 + place / REACH * (PLOT.0 / 2.0 - 8.0))
    };
    let matched = measurement.matched.as_ref();
    let population = measurement.shift.map(|shift| (shift, measurement.ci.or(measurement.range)));
    let label = format!(
        "shift {} with margin {}",
        measurement.shift.map_or("undefined".to_owned(), format_number),
        format_number(margin)
    );
    html! {
        svg.plot viewBox={ "0 0 " (PLOT.0) " " (PLOT.1) } role="img" aria-label=(label) {
            rect.band x=(x(-margin)) y="1" width=(round_to_tenth(x(margin) - x(-margin))) height=(PLOT.1 - 2.0) rx="4" {}
            line.zero x1=(x(0.0)) x2=(x(0.0)) y1="1" y2=(PLOT.1 - 1.0) {}
            @for shift in measurement.by_field.iter().flatten() {
                circle.field cx=(x(*shift)) cy="29" r="2" {}
            }
            @if let Some((shift, ends)) = population {
                (whisker("all", shift, ends, margin, &x, 10.0))
            }
            @if let Some(matched) = matched { (whisker("matched", matched.shift, matched.ci, margin, &x, 20.0)) }
        }
    }
}

fn whisker(
    class: &str,
    shift: f64,
    ends: Option<[f64; 2]>,
    margin: f64,
    x: &impl Fn(f64) -> f64,
    y: f64,
) -> Markup {
    let is_beyond = (shift / margin).abs() > REACH;
    let tip = x(shift);
    let back = tip - 8.0 * shift.signum();
    html! {
        g class=(class) {
            @if let Some([low, high]) = ends {
                line x1=(x(low)) x2=(x(high)) y1=(y) y2=(y) stroke-width="2" stroke-linecap="round" {}
            }
            @if is_beyond {
                polygon points={ (tip) "," (y) " " (round_to_tenth(back)) "," (y - 4.5) " " (round_to_tenth(back)) "," (y + 4.5) } {}
            } @else {
                circle cx=(tip) cy=(y) r="4" stroke-width="2" {}
            }
        }
    }
}

/// Draws how the values of all nuclei are spread: base as an area, head as a line, medians.
pub(super) fn distribution(histogram: &HistogramReport, title: &str) -> Markup {
    let (width, height) = (SPREAD.0, SPREAD.1 - FOOT);
    let fractions = |bins: &[u32]| -> Vec<f64> {
        let n_nuclei = bins.iter().map(|&bin| f64::from(bin)).sum::<f64>().max(1.0);
        bins.iter().map(|&bin| f64::from(bin) / n_nuclei).collect()
    };
    let (base, head) = (fractions(&histogram.base), fractions(&histogram.head));
    let top = base.iter().chain(&head).copied().fold(0.0, f64::max).max(f64::MIN_POSITIVE);
    let y = |fraction: f64| round_to_tenth(height - fraction / top * (height - 6.0));
    let step = width / base.len() as f64;
    let path = |fractions: &[f64]| {
        let steps = fractions.iter().enumerate().map(|(index, &fraction)| {
            format!("V{}H{}", y(fraction), round_to_tenth(step * (index + 1) as f64))
        });
        format!("M0 {height}{}V{height}", steps.collect::<String>())
    };
    let span = histogram.high - histogram.low;
    let place = |value: f64| {
        let fraction = if span > 0.0 { (value - histogram.low) / span } else { 0.0 };
        round_to_tenth(fraction.clamp(0.0, 1.0) * width)
    };
    let median = |quantiles: Option<[f64; 3]>| quantiles.map(|[_, median, _]| median);
    html! {
        svg.spread viewBox={ "0 0 " (width) " " (SPREAD.1) } role="img" aria-label={ "distribution of " (title) } {
            path.base d={ (path(&base)) "Z" } {}
            path.head d=(path(&head)) {}
            line.axis x1="0" x2=(width) y1=(height) y2=(height) {}
            @for (class, median) in [("base-median", median(histogram.base_quantiles)), ("head-median", median(histogram.head_quantiles))] {
                @if let Some(median) = median {
                    line class=(class) x1=(place(median)) x2=(place(median)) y1="0" y2=(height) {}
                }
            }
            text x="0" y=(SPREAD.1 - 5.0) { (format_number(histogram.low)) }
            text x=(width) y=(SPREAD.1 - 5.0) text-anchor="end" { (format_number(histogram.high)) }
        }
    }
}

fn round_to_tenth(value: f64) -> f64 {
    (10.0 * value).round() / 10.0
}
