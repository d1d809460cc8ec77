# SPDX-License-Identifier: Apache-2.0
"""Results as text, and as pictures drawn by gnuplot."""

import statistics
import subprocess

COLOURS = {"gentcp": "#1b7f5c", "inet": "#8c8c8c", "inet64k": "#5a5a5a", "socket": "#c2a14d", "c_epoll": "#2b5c8a",
           "c_gentcp": "#4fae8a", "c_libuv": "#a05195"}


def median(runs, key):
    return statistics.median(run[key] for run in runs)


def text_of(result):
    lines = [result["name"]]
    for name, runs in result["runs"].items():
        line = f"  {name:<9} {median(runs, 'cost'):9.2f} {result['unit']}"
        if all("per_second" in run for run in runs):
            line += f" {median(runs, 'per_second'):10.0f}/s"
        if all(run.get("p99") for run in runs):
            line += f"  p50 {median(runs, 'p50'):8.1f}  p99 {median(runs, 'p99'):8.1f} us"
        ratio = result["ratios"].get(name, {}).get("cost")
        if ratio:
            line += f"  {ratio['median']:5.2f} times gentcp's ({ratio['low']:.2f} to {ratio['high']:.2f})"
            floor = result["floors"].get(name)
            if floor:
                line += f", floor {floor}: {'reached' if ratio['median'] >= floor else 'MISSED'}"
        lines.append(line)
    lines += [f"  {name:<9} skipped: {why}" for name, why in result["skipped"].items()]
    return "\n".join(lines)


def draw(results, out):
    groups = {}
    for case in results["cases"]:
        groups.setdefault(case["group"], []).append(case)
    for group, members in groups.items():
        draw_group(group, members, results["machine"], out)


def draw_group(group, members, machine, out):
    """A bar for each case and server: the median cost, and all runs' spread."""
    servers = list(dict.fromkeys(name for case in members for name in case["runs"]))
    rows = []
    for case in members:
        cells = [f'"{case["name"]}"']
        for name in servers:
            runs = case["runs"].get(name)
            costs = [run["cost"] for run in runs] if runs else []
            cells += [f"{statistics.median(costs):.4f} {min(costs):.4f} {max(costs):.4f}" if costs else "- - -"]
        rows.append(" ".join(cells))
    data = out / f"{group}.data"
    data.write_text("\n".join(rows) + "\n", encoding="utf-8")
    plots = ", ".join(f"'{data}' using {3 * i + 2}:{3 * i + 3}:{3 * i + 4}:xtic(1) title '{name}' "
                      f"linecolor rgb '{COLOURS[name]}'" for i, name in enumerate(servers))
    unit = "bytes a connection" if members[0]["unit"] == "bytes" else "server CPU, us a message"
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
set title "{group}: median and spread\\n{machine["cpu"]}, OTP {machine["otp"]}, {machine["date"]}, {machine["commit"]}"
plot {plots}
"""
    subprocess.run(["gnuplot"], input=script, text=True, check=True)
