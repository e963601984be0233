//! Bar charts as SVG, for pages of any colour: they have a white ground of their own.

use std::path::Path;

use anyhow::{Context, Result, anyhow};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::aims::{p50, p99, rate};
use crate::report::short;
use crate::results::{Measurement, Results};

/// A group of bars: a heading, a workload, and what of it is shown.
type Group = (&'static str, &'static str, fn(&Measurement) -> Option<f64>);

struct Chart {
    file: &'static str,
    title: &'static str,
    unit: &'static str,
    divisor: f64,
    logarithmic: bool,
    groups: &'static [Group],
}

const CHARTS: [Chart; 3] = [
    Chart {
        file: "append.svg",
        title: "Append: million events a second, logarithmic",
        unit: "M/s",
        divisor: 1e6,
        logarithmic: true,
        groups: &[
            ("Batches of 1,000, surviving the process", "append/process/batch1000/threads1", rate),
            ("Single events, surviving the process", "append/process/batch1/threads1", rate),
            ("Single events, surviving loss of power", "append/power/batch1/threads1", rate),
        ],
    },
    Chart {
        file: "scan.svg",
        title: "Full scan in order of time: million events a second",
        unit: "M/s",
        divisor: 1e6,
        logarithmic: false,
        groups: &[
            ("Forward", "scan/forward/late0%", rate),
            ("Backward", "scan/backward/late0%", rate),
            ("Forward, 10% late", "scan/forward/late10%", rate),
        ],
    },
    Chart {
        file: "window.svg",
        title: "Window of 1,000 events: microseconds, less is better",
        unit: "µs",
        divisor: 1e3,
        logarithmic: false,
        groups: &[("Median", "window/late0%", p50), ("99th percentile", "window/late0%", p99), ("Median, 10% late", "window/late10%", p50)],
    },
];

const WIDTH: i32 = 860;
const LEFT: i32 = 130;
const RIGHT: i32 = 110;
const TOP: i32 = 56;
const BAR: i32 = 18;
const STEP: i32 = 23;
const HEADING: i32 = 34;
const TEXT: RGBColor = RGBColor(34, 34, 34);
const FAINT: RGBColor = RGBColor(225, 225, 225);

fn colour(results: &Results, engine: &str) -> RGBColor {
    match results.engines.iter().find(|spec| spec.name == engine) {
        Some(spec) if spec.is_estore() => RGBColor(0, 114, 178),
        Some(spec) if spec.is_peer() => RGBColor(213, 94, 0),
        _ => RGBColor(140, 140, 140),
    }
}

/// Draws all charts for which there is something, and gives their files and titles.
pub fn draw(results: &Results, folder: &Path) -> Result<Vec<(&'static str, &'static str)>> {
    let mut drawn = Vec::new();
    for chart in &CHARTS {
        if draw_chart(chart, results, folder).with_context(|| format!("{} cannot be drawn", chart.file))? {
            drawn.push((chart.file, chart.title));
        }
    }
    Ok(drawn)
}

fn draw_chart(chart: &Chart, results: &Results, folder: &Path) -> Result<bool> {
    let bars_of = |group: &Group| -> Vec<(&str, f64)> {
        let (_, workload, value) = *group;
        let bars = results.engines.iter().map(|engine| (engine.name.as_str(), results.spread(workload, &engine.name, value)));
        bars.filter_map(|(engine, spread)| Some((engine, spread?.median / chart.divisor))).collect()
    };
    let groups: Vec<(&str, Vec<(&str, f64)>)> = chart.groups.iter().map(|group| (group.0, bars_of(group))).collect();
    let groups: Vec<_> = groups.into_iter().filter(|(_, bars)| !bars.is_empty()).collect();
    let values = || groups.iter().flat_map(|(_, bars)| bars.iter().map(|(_, value)| *value));
    let Some(most) = values().max_by(f64::total_cmp) else { return Ok(false) };
    let least = values().fold(most, f64::min);

    let width = f64::from(WIDTH - LEFT - RIGHT);
    let low = if chart.logarithmic { 10f64.powf(least.log10().floor()) } else { 0.0 };
    let place = |value: f64| {
        let share = if chart.logarithmic { (value / low).log10() / (most / low).log10() } else { value / most };
        LEFT + (share * width).max(2.0) as i32
    };
    let height = TOP + groups.iter().map(|(_, bars)| HEADING + STEP * bars.len() as i32).sum::<i32>() + 12;
    let path = folder.join(chart.file);
    let area = SVGBackend::new(&path, (WIDTH as u32, height as u32)).into_drawing_area();
    let failed = |error| anyhow!("{error:?}");
    area.fill(&WHITE).map_err(failed)?;
    let font = |size: i32, align: HPos| ("sans-serif", size).into_font().color(&TEXT).pos(Pos::new(align, VPos::Center));
    let write = |text: &str, style: TextStyle<'_>, at: (i32, i32)| area.draw(&Text::new(text.to_owned(), at, style)).map_err(failed);

    write(chart.title, font(19, HPos::Left), (16, 28))?;
    let powers = (0..).map(|power| low * 10f64.powi(power)).take_while(|value| chart.logarithmic && *value <= most);
    for value in powers {
        area.draw(&PathElement::new([(place(value), TOP), (place(value), height - 12)], FAINT)).map_err(failed)?;
    }
    let mut y = TOP;
    for (heading, bars) in &groups {
        write(heading, font(14, HPos::Left), (16, y + HEADING / 2))?;
        y += HEADING;
        for (engine, value) in bars {
            let end = place(*value);
            area.draw(&Rectangle::new([(LEFT, y), (end, y + BAR)], colour(results, engine).filled())).map_err(failed)?;
            write(engine, font(14, HPos::Right), (LEFT - 8, y + BAR / 2))?;
            write(&format!("{} {}", short(*value), chart.unit), font(14, HPos::Left), (end + 6, y + BAR / 2))?;
            y += STEP;
        }
    }
    area.present().map_err(failed)?;
    Ok(true)
}
