//! late.svg: for each load the share of append speed and the multiples of the time of a window, as bars, with their aims.

use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::{AFTER_AIM, APPEND_AIM, BEFORE_AIM, Measured, Shares};

struct Panel {
    title: &'static str,
    aim: f64,
    value: fn(&Shares) -> f64,
}

const PANELS: [Panel; 3] = [
    Panel { title: "Append: share of the speed without late events", aim: APPEND_AIM, value: |shares| shares.append },
    Panel { title: "One-second windows before compaction: multiple of the time", aim: BEFORE_AIM, value: |shares| shares.before },
    Panel { title: "One-second windows after compaction: multiple of the time", aim: AFTER_AIM, value: |shares| shares.after },
];

const WIDTH: i32 = 860;
const LEFT: i32 = 230;
const RIGHT: i32 = 80;
const TOP: i32 = 16;
const HEADING: i32 = 40;
const BAR: i32 = 18;
const STEP: i32 = 23;
const TEXT: RGBColor = RGBColor(34, 34, 34);
const BARS: RGBColor = RGBColor(0, 114, 178);
const AIM: RGBColor = RGBColor(213, 94, 0);

pub fn draw(measured: &Measured, path: &Path) -> Result<()> {
    let bars: Vec<(String, Shares)> = measured.turns.iter().map(|(load, turns)| (load.name(), measured.shares(turns))).collect();
    let panel_height = HEADING + STEP * bars.len() as i32;
    let height = TOP + panel_height * PANELS.len() as i32 + 12;
    let area = SVGBackend::new(path, (WIDTH as u32, height as u32)).into_drawing_area();
    let failed = |error| anyhow!("{error:?}");
    area.fill(&WHITE).map_err(failed)?;
    let font =
        |size: i32, align: HPos, colour: &RGBColor| ("sans-serif", size).into_font().color(colour).pos(Pos::new(align, VPos::Center));
    let write = |text: &str, style: TextStyle<'_>, at: (i32, i32)| area.draw(&Text::new(text.to_owned(), at, style)).map_err(failed);
    for (place, panel) in PANELS.iter().enumerate() {
        let top = TOP + panel_height * place as i32;
        let most = bars.iter().map(|(_, shares)| (panel.value)(shares)).fold(panel.aim, f64::max);
        let x = |value: f64| LEFT + (value / most * f64::from(WIDTH - LEFT - RIGHT)).max(2.0) as i32;
        write(panel.title, font(16, HPos::Left, &TEXT), (16, top + HEADING / 2))?;
        let mut y = top + HEADING;
        for (name, shares) in &bars {
            let value = (panel.value)(shares);
            area.draw(&Rectangle::new([(LEFT, y), (x(value), y + BAR)], BARS.filled())).map_err(failed)?;
            write(name, font(14, HPos::Right, &TEXT), (LEFT - 8, y + BAR / 2))?;
            write(&format!("{value:.2}"), font(14, HPos::Left, &TEXT), (x(value) + 6, y + BAR / 2))?;
            y += STEP;
        }
        let aim = x(panel.aim);
        area.draw(&PathElement::new([(aim, top + HEADING - 4), (aim, y - 2)], AIM.stroke_width(2))).map_err(failed)?;
        write(&format!("aim {}", panel.aim), font(13, HPos::Center, &AIM), (aim, top + HEADING - 12))?;
    }
    area.present().map_err(failed)?;
    Ok(())
}
