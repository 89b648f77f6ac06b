/** Figures: medians, how they are written, and what is asked of them. */

export const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

/** The value that this part of all are not above. */
export function percentile(values, part) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * part) - 1)];
}

const number = (v) => (v === undefined ? "-" : v >= 1000 ? v.toFixed(0) : v >= 100 ? v.toFixed(0) : v >= 10 ? v.toFixed(1) : v.toFixed(2));

/**
 * What a record is measured against: `limit` is the most that its value may be, in its unit, or, with `of: "peer"`, how
 * many times the peer's value it may be at most (`least`: must be at least).
 */
export function judge(record) {
  const { goal, value, peer } = record;
  if (!goal || value === undefined) return;
  const measured = goal.of === "peer" ? value / peer : goal.of === "speedup" ? peer / value : value;
  record.measured = measured;
  record.met = goal.of === "speedup" ? measured >= goal.limit : measured <= goal.limit;
}

function goalText({ goal, unit }) {
  if (!goal) return "";
  if (goal.of === "peer") return `<= ${goal.limit} x peer`;
  if (goal.of === "speedup") return `>= ${goal.limit} x faster`;
  return `<= ${goal.limit} ${unit}`;
}

function verdict(record) {
  if (!record.goal) return "";
  if (record.error) return "NOT MEASURED";
  if (record.met) return "met";
  const off = record.goal.of === "speedup" ? record.goal.limit / record.measured : record.measured / record.goal.limit;
  return `MISSED, ${((off - 1) * 100).toFixed(0)} % off`;
}

function ratioText({ goal, value, peer }) {
  if (peer === undefined || value === undefined) return "";
  return goal?.of === "speedup" ? (peer / value).toFixed(2) : (value / peer).toFixed(2);
}

/** The records as a table in Markdown, aligned. */
export function table(records) {
  const head = ["measure", "browser", "page", "unit", "value", "peer", "ratio", "goal", ""];
  const rows = records.map((r) => [
    r.name,
    r.engine,
    r.page,
    r.unit ?? "",
    r.error ? "-" : number(r.value),
    r.peer === undefined ? "" : number(r.peer),
    ratioText(r),
    goalText(r),
    verdict(r),
  ]);
  const right = new Set([4, 5, 6]);
  const widths = head.map((h, i) => Math.max(h.length, ...rows.map((r) => r[i].length)));
  const line = (cells) => `| ${cells.map((c, i) => (right.has(i) ? c.padStart(widths[i]) : c.padEnd(widths[i]))).join(" | ")} |`;
  const rule = `| ${widths.map((w, i) => (right.has(i) ? `${"-".repeat(w - 1)}:` : "-".repeat(w))).join(" | ")} |`;
  return [line(head), rule, ...rows.map(line)].join("\n");
}

export function summary(records) {
  const asked = records.filter((r) => r.goal);
  const errors = records.filter((r) => r.error).map((r) => `* ${r.name} (${r.engine}, ${r.page}): ${r.error.split("\n", 1)[0]}`);
  return [`${asked.filter((r) => r.met).length} of ${asked.length} goals met.`, ...errors].join("\n");
}
