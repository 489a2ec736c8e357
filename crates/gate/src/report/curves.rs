//! Curves: how losses fell and scores rose, as a table and as a picture.
//!
//! Takes series of numbers by step; gives CSV, and one SVG that needs nothing else: losses on the
//! left, scores on the right. Coordinates are rounded to a tenth, so that equal trainings give equal
//! files.

use cellgate_run::tables::{TableError, number};
use maud::{Markup, html};
use std::collections::BTreeMap;

/// Numbers of one kind, by step.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Name of the numbers.
    pub name: String,
    /// Step and number, steps rising.
    pub points: Vec<(u64, f64)>,
}

/// Series that show the course of a training.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Curves {
    /// Losses: the sum first, then its parts.
    pub losses: Vec<Series>,
    /// Scores: what weights are chosen by first, then others.
    pub scores: Vec<Series>,
    /// Series for the table alone, such as the learning rate.
    pub others: Vec<Series>,
}

/// Width and height of the picture, in its own units.
const SIZE: (f64, f64) = (1000.0, 420.0);

/// Width and height of a panel's axes.
const AXES: (f64, f64) = (420.0, 280.0);

/// Where axes begin: from the left of the panel and from the top of the picture.
const ORIGIN: (f64, f64) = (60.0, 90.0);

/// Most points of a drawn line; more are averaged.
const MAX_POINTS: usize = 400;

/// Colors that people with any color vision tell apart (Okabe and Ito 2008).
const COLORS: [&str; 7] =
    ["#000000", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];

impl Curves {
    /// All series as CSV: one column each, one row for each step that any of them has.
    ///
    /// # Errors
    /// [`TableError::Write`].
    pub fn csv(&self) -> Result<Vec<u8>, TableError> {
        let series: Vec<&Series> =
            self.losses.iter().chain(&self.scores).chain(&self.others).collect();
        let mut rows: BTreeMap<u64, Vec<Option<f64>>> = BTreeMap::new();
        for (column, curve) in series.iter().enumerate() {
            for &(step, value) in &curve.points {
                rows.entry(step).or_insert_with(|| vec![None; series.len()])[column] = Some(value);
            }
        }
        let mut writer = csv::Writer::from_writer(Vec::new());
        let names = series.iter().map(|series| series.name.as_str());
        writer.write_record(std::iter::once("step").chain(names))?;
        for (step, values) in rows {
            let numbers = values.into_iter().map(number);
            writer.write_record(std::iter::once(step.to_string()).chain(numbers))?;
        }
        writer.into_inner().map_err(|error| TableError::Write(error.into_error().into()))
    }

    /// Losses and scores as a picture.
    #[must_use]
    pub fn svg(&self) -> String {
        let (width, height) = SIZE;
        let last_step = |series: &Series| series.points.last().map_or(0, |&(step, _)| step);
        let steps = self.losses.iter().chain(&self.scores).map(last_step).max().unwrap_or(0).max(1);
        let losses = Panel::new("Loss", "by step", &self.losses, steps);
        let scores = Panel::new("Validation", "by step, the best marked", &self.scores, steps);
        let picture = html! {
            svg xmlns="http://www.w3.org/2000/svg" viewBox={ "0 0 " (width) " " (height) }
                width=(width) height=(height) role="img" aria-label="curves of a training"
                font-family="system-ui, sans-serif" font-size="13" fill="#222" {
                rect width=(width) height=(height) fill="#fff" {}
                g { (losses.draw(false)) }
                g transform={ "translate(" (width / 2.0) " 0)" } { (scores.draw(true)) }
            }
        };
        picture.into_string() + "\n"
    }
}

/// One pair of axes and what is drawn in it.
struct Panel<'a> {
    title: &'a str,
    remark: &'a str,
    series: &'a [Series],
    across: Axis,
    up: Axis,
}

impl<'a> Panel<'a> {
    fn new(title: &'a str, remark: &'a str, series: &'a [Series], steps: u64) -> Self {
        let values = series.iter().flat_map(|series| &series.points).map(|&(_, value)| value);
        let finite: Vec<f64> = values.filter(|value| value.is_finite()).collect();
        let low = finite.iter().copied().fold(f64::INFINITY, f64::min);
        let high = finite.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        // Losses and scores are measured from 0, unless that would waste most of the height.
        let low = if finite.is_empty() || 0.0 <= low && low < 0.7 * high { 0.0 } else { low };
        let high = if finite.is_empty() { 1.0 } else { high };
        Self {
            title,
            remark,
            series,
            across: Axis::new(0.0, steps as f64, AXES.0),
            up: Axis::new(low, high, AXES.1),
        }
    }

    fn draw(&self, is_marked: bool) -> Markup {
        let (left, top) = ORIGIN;
        let (width, height) = AXES;
        let legend = self.legend();
        html! {
            text x=(left) y="30" {
                tspan font-size="16" font-weight="600" { (self.title) }
                tspan dx="12" fill="#666" { (self.remark) }
            }
            @for (x, y, place) in legend {
                (legend_key(x, y, place, &self.series[place].name))
            }
            g transform={ "translate(" (left) " " (top) ")" } {
                @for (place, text) in self.up.ticks() {
                    @let y = round_to_tenth(height - place);
                    line x1="0" x2=(width) y1=(y) y2=(y) stroke="#e3e3e3" {}
                    text x="-8" y=(y + 4.5) text-anchor="end" { (text) }
                }
                @for (place, text) in self.across.ticks() {
                    line x1=(place) x2=(place) y1=(height) y2=(height + 5.0) stroke="#222" {}
                    text x=(place) y=(height + 20.0) text-anchor="middle" { (text) }
                }
                line x1="0" x2=(width) y1=(height) y2=(height) stroke="#222" {}
                @for (place, series) in self.series.iter().enumerate().rev() {
                    polyline points=(self.points(series)) fill="none"
                        stroke=(COLORS[place % COLORS.len()]) stroke-width=(thickness(place))
                        stroke-dasharray=[dashes(place)] stroke-linejoin="round" {}
                }
                @if is_marked { (self.best_mark()) }
            }
        }
    }

    /// Where the keys of all series stand: in rows above the axes.
    fn legend(&self) -> Vec<(f64, f64, usize)> {
        let (mut x, mut y) = (ORIGIN.0, 54.0);
        let mut places = Vec::new();
        for (place, series) in self.series.iter().enumerate() {
            let width = 38.0 + 7.5 * series.name.chars().count() as f64;
            if ORIGIN.0 < x && ORIGIN.0 + AXES.0 + 13.0 < x + width {
                (x, y) = (ORIGIN.0, y + 18.0);
            }
            places.push((round_to_tenth(x), y, place));
            x += width;
        }
        places
    }

    fn points(&self, series: &Series) -> String {
        let points = thin(&series.points);
        let place = |(step, value): (f64, f64)| {
            format!(
                "{},{}",
                self.across.position(step),
                round_to_tenth(AXES.1 - self.up.position(value))
            )
        };
        points.into_iter().map(place).collect::<Vec<_>>().join(" ")
    }

    /// The greatest number of the first series.
    fn best_mark(&self) -> Markup {
        let points = self.series.first().into_iter().flat_map(|series| &series.points);
        let best = points.copied().reduce(|a, b| if b.1 > a.1 { b } else { a });
        let best = best.filter(|(_, value)| value.is_finite()).map(|(step, value)| {
            let (x, y) = (
                self.across.position(step as f64),
                round_to_tenth(AXES.1 - self.up.position(value)),
            );
            // The words stand on the side where there is room.
            let (text_x, anchor) =
                if x > AXES.0 / 2.0 { (x - 8.0, "end") } else { (x + 8.0, "start") };
            (x, y, text_x, anchor, format!("{value:.4} at step {step}"))
        });
        html! {
            @if let Some((x, y, text_x, anchor, text)) = best {
                circle cx=(x) cy=(y) r="4" fill="#fff" stroke="#000" stroke-width="2" {}
                text x=(round_to_tenth(text_x)) y=(round_to_tenth(y - 8.0)) text-anchor=(anchor)
                    paint-order="stroke" stroke="#fff" stroke-width="4" { (text) }
            }
        }
    }
}

fn legend_key(x: f64, y: f64, place: usize, name: &str) -> Markup {
    html! {
        line x1=(x) x2=(x + 20.0) y1=(y - 4.5) y2=(y - 4.5) stroke=(COLORS[place % COLORS.len()])
            stroke-width=(thickness(place)) stroke-dasharray=[dashes(place)] {}
        text x=(x + 25.0) y=(y) { (name) }
    }
}

fn thickness(place: usize) -> f64 {
    if place == 0 { 2.2 } else { 1.4 }
}

/// Colors come again after the last, with dashes.
fn dashes(place: usize) -> Option<&'static str> {
    (place >= COLORS.len()).then_some("5 3")
}

/// A line of few points: means of neighbors.
fn thin(points: &[(u64, f64)]) -> Vec<(f64, f64)> {
    let chunk_len = points.len().div_ceil(MAX_POINTS).max(1);
    let finite = points.iter().filter(|(_, value)| value.is_finite()).collect::<Vec<_>>();
    let mean = |part: &[&(u64, f64)]| {
        let n = part.len() as f64;
        let step = part.iter().map(|(step, _)| *step as f64).sum::<f64>() / n;
        (step, part.iter().map(|(_, value)| value).sum::<f64>() / n)
    };
    finite.chunks(chunk_len).map(mean).collect()
}

/// Numbers along one side of a panel.
struct Axis {
    low: f64,
    high: f64,
    /// Between two ticks.
    step: f64,
    length: f64,
}

impl Axis {
    /// An axis from the tick below `low` to the tick above `high`, with about five ticks.
    fn new(low: f64, high: f64, length: f64) -> Self {
        let span = if high > low { high - low } else { high.abs().max(1.0) };
        let power = 10_f64.powi((span / 5.0).log10().floor() as i32);
        let ratio = span / 5.0 / power;
        let factor = [1.0, 2.0, 5.0].into_iter().find(|&factor| ratio <= factor).unwrap_or(10.0);
        let step = factor * power;
        let low = (low / step + 1e-9).floor() * step;
        let high = (high / step - 1e-9).ceil() * step;
        Self { low, high: high.max(low + step), step, length }
    }

    /// Where a number is, from the axis' start.
    fn position(&self, value: f64) -> f64 {
        round_to_tenth((value - self.low) / (self.high - self.low) * self.length)
    }

    /// Where ticks are, and what stands there.
    fn ticks(&self) -> Vec<(f64, String)> {
        let n_steps = ((self.high - self.low) / self.step).round() as u32;
        let n_decimals = (-(self.step.log10() + 1e-9).floor()).clamp(0.0, 12.0) as usize;
        let tick = |number: u32| {
            let value = self.low + f64::from(number) * self.step;
            (self.position(value), format!("{value:.n_decimals$}"))
        };
        (0..=n_steps).map(tick).collect()
    }
}

fn round_to_tenth(value: f64) -> f64 {
    (10.0 * value).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(name: &str, points: &[(u64, f64)]) -> Series {
        Series { name: name.to_owned(), points: points.to_vec() }
    }

    fn curves() -> Curves {
        Curves {
            losses: vec![
                series("total", &[(20, 2.5), (40, 1.25), (60, 0.75)]),
                series("nucleus", &[(20, 0.5), (40, 0.25), (60, 0.125)]),
            ],
            scores: vec![series("mean AP", &[(30, 0.25), (60, 0.5)])],
            others: vec![series("rate", &[(20, 0.001), (40, 0.002), (60, 0.0)])],
        }
    }

    #[test]
    fn the_table_has_a_row_for_each_step() {
        let text = String::from_utf8(curves().csv().unwrap()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let expected = [
            "step,total,nucleus,mean AP,rate",
            "20,2.5,0.5,,0.001",
            "30,,,0.25,",
            "40,1.25,0.25,,0.002",
            "60,0.75,0.125,0.5,0",
        ];
        assert_eq!(lines, expected);
    }

    #[track_caller]
    fn check_ticks(low: f64, high: f64, expected: &[&str]) {
        let ticks: Vec<String> =
            Axis::new(low, high, 100.0).ticks().into_iter().map(|(_, text)| text).collect();
        assert_eq!(ticks, expected);
    }

    #[test]
    fn ticks_are_round_numbers_around_the_values() {
        check_ticks(0.0, 4000.0, &["0", "1000", "2000", "3000", "4000"]);
        check_ticks(0.52, 0.61, &["0.52", "0.54", "0.56", "0.58", "0.60", "0.62"]);
        check_ticks(-0.3, 1.0, &["-0.5", "0.0", "0.5", "1.0"]);
        check_ticks(0.0, 0.0, &["0.0", "0.2"]);
    }

    #[test]
    fn the_picture_shows_both_panels_and_the_best() {
        let svg = curves().svg();
        assert!(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""));
        for text in [">Loss<", ">Validation<", ">total<", ">mean AP<", ">0.5000 at step 60<"] {
            assert!(svg.contains(text), "{text} in {svg}");
        }
        // A loss of 2.5 of an axis to 2.5 is at the top; step 20 of 60 at a third of 420.
        assert!(svg.contains("points=\"140,0 "), "{svg}");
        assert!(!svg.contains(">rate<"));
    }

    #[test]
    fn hostile_names_stay_text() {
        let curves = Curves { scores: vec![series("</svg><script>", &[])], ..Curves::default() };
        assert!(curves.svg().contains("&lt;/svg&gt;&lt;script&gt;"));
    }

    #[test]
    fn long_lines_are_thinned_and_numbers_that_are_none_left_out() {
        let points: Vec<(u64, f64)> = (0..1000).map(|step| (step, 1.0)).collect();
        assert_eq!(thin(&points).len(), 334);
        assert_eq!(thin(&[(1, f64::NAN), (2, 3.0)]), [(2.0, 3.0)]);
        let nothing = Curves { losses: vec![series("x", &[(1, f64::NAN)])], ..Curves::default() };
        assert!(!nothing.svg().contains("NaN"));
    }
}
