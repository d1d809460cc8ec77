# SPDX-License-Identifier: Apache-2.0
"""Results as text, as pictures drawn by gnuplot, and as the page in docs/bench."""

import statistics
import subprocess

COLOURS = {"gentcp": "#1b7f5c", "gentcp_linger": "#12543d", "gentcp_one": "#7ec9a8", "gentcp_alone": "#7ec9a8",
           "inet": "#8c8c8c", "inet64k": "#5a5a5a", "socket": "#c2a14d", "c_epoll": "#2b5c8a", "c_busy": "#6f9bc2",
           "c_gentcp": "#4fae8a", "c_libuv": "#a05195"}
BEGIN, END = "<!-- measured: begin -->\n", "<!-- measured: end -->\n"
AXES = {"bytes": "bytes a connection", "us each": "us a connection, until its first reply"}
VERDICTS = {"stretch": "stretch reached", "floor": "floor reached", "MISSED": "**missed**"}


def median(runs, key):
    return statistics.median(run[key] for run in runs)


def spread(values):
    if not values:
        return None
    first, middle, third = statistics.quantiles(values, method="inclusive") if len(values) > 1 else values * 3
    return {"median": middle, "first": first, "third": third, "low": min(values), "high": max(values)}


def with_quartiles(its):
    return f"{its['median']:.2f} ({its['first']:.2f} to {its['third']:.2f})"


# ---- text ----

def text_of(result):
    lines = [result["name"]]
    for name, runs in result["runs"].items():
        line = f"  {name:<13} {median(runs, 'cost'):9.2f} {result['unit']}"
        if all("per_second" in run for run in runs):
            line += f" {median(runs, 'per_second'):10.0f}/s"
        if all(run.get("p99") for run in runs):
            line += f"  p50 {median(runs, 'p50'):8.1f}  p99 {median(runs, 'p99'):8.1f} us"
        ratio = result["ratios"].get(name, {}).get("cost")
        if ratio:
            line += f"  {with_quartiles(ratio)} times gentcp's"
        lines.append(line)
    lines += [f"  {name:<13} skipped: {why}" for name, why in result["skipped"].items()]
    lines += [f"    {target['row']}: {reading(target)}: {target['verdict']}" +
              (f"; raw C: {target['limit']['median']:.2f}" if target["limit"] else "") for target in result["targets"]]
    lines += [f"    {name}: {counts_text(calls)} a message"
              for name, calls in result["counts"].get("calls", {}).items() if calls]
    lines += [f"    {name}: {number:.0f} instructions a message"
              for name, number in result["counts"].get("instructions", {}).items() if number]
    return "\n".join(lines)


def reading(target):
    return with_quartiles(target["ratio"]) if target["ratio"] else "-"


def counts_text(calls):
    return ", ".join(f"{kind} {number:.2f}" for kind, number in calls.items())


# ---- pictures ----

def draw(results, work, out):
    """Pictures into out, what they are drawn from into work."""
    groups = {}
    for case in results["cases"]:
        groups.setdefault(case["group"], []).append(case)
    for group, members in groups.items():
        draw_group(group, members, results["machine"], work, out)


def draw_group(group, members, machine, work, out):
    """A bar for each case and server: the median cost, and the quartiles."""
    servers = list(dict.fromkeys(name for case in members for name in case["runs"]))
    rows = []
    for case in members:
        cells = [f'"{case["name"]}"']
        for name in servers:
            cost = spread([run["cost"] for run in case["runs"].get(name, [])])
            cells += [f"{cost['median']:.4f} {cost['first']:.4f} {cost['third']:.4f}" if cost else "- - -"]
        rows.append(" ".join(cells))
    data = work / f"{group}.data"
    data.write_text("\n".join(rows) + "\n", encoding="utf-8")
    plots = ", ".join(f"'{data}' using {3 * i + 2}:{3 * i + 3}:{3 * i + 4}:xtic(1) title '{name}' "
                      f"linecolor rgb '{COLOURS[name]}'" for i, name in enumerate(servers))
    unit = AXES.get(members[0]["unit"], "server CPU, us a message")
    width = max(640, 300 + 30 * len(members) * len(servers))
    script = f"""
set terminal svg size {width},520 font 'sans-serif,12' background 'white' noenhanced
set output '{out / group}.svg'
set datafile missing '-'
set style data histogram
set style histogram errorbars gap 1 linewidth 1
set style fill solid border rgb 'white'
set key top left
set yrange [0:*]
set ylabel '{unit}'
set xtics rotate by -30 nomirror
set grid ytics
set title "{group}: median and quartiles\\n{machine["cpu"]}, OTP {machine["otp"]}, {machine["date"]}, {machine["commit"]}"
plot {plots}
"""
    subprocess.run(["gnuplot"], input=script, text=True, check=True)


# ---- the page ----

def write_page(results, path):
    """Puts what was measured between the page's two marks; what stands around them is written by hand."""
    before, after = "# Benchmark\n\n", ""
    if path.exists():
        before, _, rest = path.read_text(encoding="utf-8").partition(BEGIN)
        after = rest.partition(END)[2]
    path.write_text(before + BEGIN + page_of(results) + END + after, encoding="utf-8")


def page_of(results):
    machine = results["machine"]
    parts = [f"Measured on {machine['date']} at commit {machine['commit']}: {machine['cpu']}, {machine['cores']} cores, "
             f"Linux {machine['kernel']}, OTP {machine['otp']}; load average before it began {machine['load_average']}. "
             f"Each figure is the median of all windows of {results['repeat']} repetitions with {results['seconds']:g} s of "
             "each server, and in brackets the quartiles.\n", targets_table(results), *counts_tables(results),
             figures_table(results), pictures(results)]
    return "\n".join(part for part in parts if part)


def table(head, rows):
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head), *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines) + "\n"


def bound(target, key):
    if target[key] is None:
        return ""
    return f"{'at most ' if target['at_most'] else ''}{target[key]:g}"


def targets_table(results):
    """Row by row, the cases of a row together."""
    judged = {}
    for case in results["cases"]:
        for target in case["targets"]:
            judged.setdefault(target["row"], []).append((case["name"], target))
    rows = [[row, name, reading(target), bound(target, "floor"), bound(target, "stretch"),
             VERDICTS.get(target["verdict"], target["verdict"]),
             f"{target['limit']['median']:.2f}" if target["limit"] else ""]
            for row, members in sorted(judged.items()) for name, target in members]
    verdicts = [target["verdict"] for members in judged.values() for _, target in members]
    with_floor = [target for members in judged.values() for _, target in members if target["floor"] is not None]
    summary = (f"Of {len(with_floor)} floors, {sum(target['verdict'] in ('floor', 'stretch') for target in with_floor)} are "
               f"reached; {verdicts.count('stretch')} of {len(verdicts)} readings reach their stretch, too.\n")
    return "## Targets\n\n" + summary + "\n" + table(
        ["what", "case", "reached", "floor", "stretch", "", "raw C"], rows) + (
            "\nRaw C: the same comparison with raw epoll in our place; of linger, the C server that never sleeps.\n")


def counts_tables(results):
    calls, instructions = [], []
    for case in results["cases"]:
        counts = case["counts"]
        calls += [[case["name"], name, *(f"{number:.2f}" for number in its.values())]
                  for name, its in counts.get("calls", {}).items() if its]
        instructions += [[case["name"], name, f"{number:.0f}"]
                         for name, number in counts.get("instructions", {}).items() if number]
    if calls:
        yield ("## System calls a message, by strace\n\n"
               + table(["case", "server", "recv", "send", "wait", "other"], calls))
    if instructions:
        yield ("## Instructions a message, by callgrind (outside the kernel)\n\n"
               + table(["case", "server", "instructions"], instructions))


def figures_table(results):
    rows = []
    for case in results["cases"]:
        for name, runs in case["runs"].items():
            row = [case["name"], name, with_quartiles(spread([run["cost"] for run in runs]))]
            for key, form in (("per_second", "{:.0f}"), ("p50", "{:.0f}"), ("p99", "{:.0f}"), ("switches", "{:.2f}")):
                row.append(form.format(median(runs, key)) if all(run.get(key) is not None for run in runs) else "")
            rows.append(row)
    units = ("Server CPU in us a message; of memory, bytes a connection; of clients that arrive, the time until all have had "
             "a reply, in us each.")
    return f"## All figures\n\n{units}\n\n" + table(
        ["case", "server", "cost", "a second", "p50 us", "p99 us", "context switches a message"], rows)


def pictures(results):
    groups = list(dict.fromkeys(case["group"] for case in results["cases"]))
    return "## Pictures\n\n" + "\n".join(f"![{group}]({group}.svg)" for group in groups) + "\n"
