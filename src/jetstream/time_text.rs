//! Points in time as RFC 3339 text, the way Go writes and reads them.

use super::json::go_quote;
use shards::decimal;
use shards::time::WallTime;

/// Appends a time in UTC with up to nine digits of a second, trailing zeros trimmed; `0001-01-01T00:00:00Z` for "no
/// time".
pub fn write(out: &mut Vec<u8>, time: WallTime) {
    if time.0 == 0 {
        return out.extend_from_slice(b"0001-01-01T00:00:00Z");
    }
    let (seconds, nanos) = (time.0 / NANOS_PER_SECOND, time.0 % NANOS_PER_SECOND);
    let (year, month, day) = date(seconds / SECONDS_PER_DAY);
    let second = seconds % SECONDS_PER_DAY;
    decimal::put(out, year);
    for (mark, value) in
        [(b'-', month), (b'-', day), (b'T', second / 3600), (b':', second / 60 % 60), (b':', second % 60)]
    {
        out.extend_from_slice(&[mark, b'0' + (value / 10) as u8, b'0' + (value % 10) as u8]);
    }
    if nanos != 0 {
        write_fraction(out, nanos);
    }
    out.push(b'Z');
}

/// Reads a time with `Z` or an offset. Times before 1970 become "no time", times after 2554 the last one.
///
/// # Errors
/// The text of Go's `time.Parse`.
pub fn parse(text: &[u8]) -> Result<WallTime, String> {
    Parser { text, rest: text }.time()
}

fn write_fraction(out: &mut Vec<u8>, nanos: u64) {
    let (mut value, mut width) = (nanos, 9);
    while value % 10 == 0 {
        value /= 10;
        width -= 1;
    }
    out.push(b'.');
    for place in (0..width).rev() {
        out.push(b'0' + (value / 10u64.pow(place) % 10) as u8);
    }
}

struct Parser<'a> {
    text: &'a [u8],
    rest: &'a [u8],
}

impl Parser<'_> {
    fn time(mut self) -> Result<WallTime, String> {
        let year = self.digits(4, "2006")?;
        self.mark(b'-', "-")?;
        let month = self.digits(2, "01")?;
        self.range((1..=12).contains(&month), "month")?;
        self.mark(b'-', "-")?;
        let day = self.digits(2, "02")?;
        self.mark(b'T', "T")?;
        let hour = self.digits(2, "15")?;
        self.range(hour < 24, "hour")?;
        self.mark(b':', ":")?;
        let minute = self.digits(2, "04")?;
        self.range(minute < 60, "minute")?;
        self.mark(b':', ":")?;
        let second = self.digits(2, "05")?;
        self.range(second < 60, "second")?;
        let nanos = self.fraction();
        let offset = self.offset()?;
        if !self.rest.is_empty() {
            let extra = go_quote(self.rest);
            return Err(format!("parsing time {}: extra text: {extra}", go_quote(self.text)));
        }
        self.range(day >= 1 && day <= days_in(year, month), "day")?;
        let seconds = (days(year, month, day) * 24 + hour) * 3600 + minute * 60 + second - offset;
        let since_1970 = i128::from(seconds) * i128::from(NANOS_PER_SECOND) + i128::from(nanos);
        Ok(WallTime(u64::try_from(since_1970.max(0)).unwrap_or(u64::MAX)))
    }

    fn digits(&mut self, count: usize, element: &str) -> Result<i64, String> {
        let digits = self.rest.get(..count).filter(|digits| digits.iter().all(u8::is_ascii_digit));
        let Some(digits) = digits else { return Err(self.mismatch(element)) };
        self.rest = &self.rest[count..];
        Ok(digits.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0')))
    }

    fn mark(&mut self, mark: u8, element: &str) -> Result<(), String> {
        match self.rest.split_first() {
            Some((&first, rest)) if first == mark => {
                self.rest = rest;
                Ok(())
            }
            _ => Err(self.mismatch(element)),
        }
    }

    /// Nanoseconds; 0 if there is no fraction. Digits after the ninth are dropped.
    fn fraction(&mut self) -> u32 {
        let Some(digits) = self.rest.strip_prefix(b".") else { return 0 };
        let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if count == 0 {
            return 0;
        }
        self.rest = &digits[count..];
        (0..9).fold(0, |nanos, place| {
            nanos * 10 + if place < count { u32::from(digits[place] - b'0') } else { 0 }
        })
    }

    /// Seconds east of UTC.
    fn offset(&mut self) -> Result<i64, String> {
        let sign = match self.rest.first() {
            Some(b'Z') => {
                self.rest = &self.rest[1..];
                return Ok(0);
            }
            Some(b'+') => 1,
            Some(b'-') => -1,
            _ => return Err(self.mismatch("Z07:00")),
        };
        let &[_, h1, h0, b':', m1, m0, ..] = self.rest else { return Err(self.mismatch("Z07:00")) };
        if ![h1, h0, m1, m0].iter().all(u8::is_ascii_digit) {
            return Err(self.mismatch("Z07:00"));
        }
        let two = |tens: u8, ones: u8| i64::from(tens - b'0') * 10 + i64::from(ones - b'0');
        let (hours, minutes) = (two(h1, h0), two(m1, m0));
        self.range(hours <= 24, "time zone offset hour")?;
        self.range(minutes < 60, "time zone offset minute")?;
        self.rest = &self.rest[6..];
        Ok(sign * (hours * 3600 + minutes * 60))
    }

    fn range(&self, inside: bool, what: &str) -> Result<(), String> {
        if inside {
            Ok(())
        } else {
            Err(format!("parsing time {}: {what} out of range", go_quote(self.text)))
        }
    }

    fn mismatch(&self, element: &str) -> String {
        let (text, rest) = (go_quote(self.text), go_quote(self.rest));
        format!("parsing time {text} as \"2006-01-02T15:04:05Z07:00\": cannot parse {rest} as \"{element}\"")
    }
}

/// Year, month and day of a day since 1970. Years begin in March here, so that the leap day is the last.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + DAYS_FROM_YEAR_0;
    let (era, day_of_era) = (days / DAYS_PER_ERA, days % DAYS_PER_ERA);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

/// Days since 1970, negative before.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let month_from_march = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * DAYS_PER_ERA as i64 + day_of_era - DAYS_FROM_YEAR_0 as i64
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

const NANOS_PER_SECOND: u64 = 1_000_000_000;
const SECONDS_PER_DAY: u64 = 86_400;
/// Days in 400 years.
const DAYS_PER_ERA: u64 = 146_097;
/// Days from 0000-03-01 to 1970-01-01.
const DAYS_FROM_YEAR_0: u64 = 719_468;

#[cfg(test)]
mod tests {
    use super::*;

    fn text(time: u64) -> String {
        let mut out = Vec::new();
        write(&mut out, WallTime(time));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn times_are_written_with_trimmed_fractions() {
        assert_eq!(text(0), "0001-01-01T00:00:00Z");
        assert_eq!(text(1_795_247_917_622_863_386), "2026-11-21T07:58:37.622863386Z");
        assert_eq!(text(1_795_247_917_620_000_000), "2026-11-21T07:58:37.62Z");
        assert_eq!(text(1_582_934_400_000_000_000), "2020-02-29T00:00:00Z");
        assert_eq!(text(1_000_000_001), "1970-01-01T00:00:01.000000001Z");
        assert_eq!(text(u64::MAX), "2554-07-21T23:34:33.709551615Z");
    }

    #[test]
    fn every_written_time_is_read_back() {
        for day in 0..200_000u64 {
            let time = day * 86_400_000_000_000 + day * 1_234_567 + 1;
            assert_eq!(parse(text(time).as_bytes()), Ok(WallTime(time)));
        }
    }

    #[test]
    fn offsets_and_long_fractions_are_read() {
        let utc = parse(b"2019-12-31T23:00:00.5Z").unwrap();
        assert_eq!(parse(b"2020-01-01T00:00:00.50+01:00"), Ok(utc));
        assert_eq!(parse(b"2019-12-31T17:30:00.5000000009-05:30"), Ok(utc));
        assert_eq!(parse(b"0001-01-01T00:00:00Z"), Ok(WallTime(0)));
        assert_eq!(parse(b"9999-01-01T00:00:00Z"), Ok(WallTime(u64::MAX)));
    }

    #[test]
    fn what_is_no_time_is_refused_in_the_words_of_go() {
        let refused = |text: &str| parse(text.as_bytes()).unwrap_err();
        let layout = "as \"2006-01-02T15:04:05Z07:00\": cannot parse";
        assert_eq!(refused("x"), format!("parsing time \"x\" {layout} \"x\" as \"2006\""));
        assert_eq!(refused("2020"), format!("parsing time \"2020\" {layout} \"\" as \"-\""));
        assert_eq!(
            refused("2020-01-01T00:00:00"),
            format!("parsing time \"2020-01-01T00:00:00\" {layout} \"\" as \"Z07:00\"")
        );
        assert_eq!(
            refused("2020-13-01T00:00:00Z"),
            "parsing time \"2020-13-01T00:00:00Z\": month out of range"
        );
        assert_eq!(
            refused("2021-02-29T00:00:00Z"),
            "parsing time \"2021-02-29T00:00:00Z\": day out of range"
        );
    }
}
