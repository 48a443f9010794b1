// Writes the names of a city, most important first; each takes its room or is left out.
'use strict';

const Names = (() => {
  const { ramp, STREET_WIDTHS } = Geometry;
  const STREETS_FROM = [15.6, 14.7, 13.7]; // zoom from which streets of rank 0, 1 and 2 are named

  /** Boxes that are taken, kept in a grid of buckets. */
  class Room {
    constructor() {
      this.buckets = new Map();
    }

    * keys([x0, y0, x1, y1]) {
      for (let i = Math.floor(x0 / 64); i <= Math.floor(x1 / 64); i += 1) {
        for (let j = Math.floor(y0 / 64); j <= Math.floor(y1 / 64); j += 1) yield i * 100003 + j;
      }
    }

    isFree(box) {
      for (const key of this.keys(box)) {
        for (const other of this.buckets.get(key) ?? []) {
          if (box[0] < other[2] && box[2] > other[0] && box[1] < other[3] && box[3] > other[1]) return false;
        }
      }
      return true;
    }

    take(box) {
      for (const key of this.keys(box)) {
        if (!this.buckets.has(key)) this.buckets.set(key, []);
        this.buckets.get(key).push(box);
      }
    }

    /** Take all boxes if all are free, else none. */
    claim(boxes) {
      if (!boxes.every((box) => this.isFree(box))) return false;
      boxes.forEach((box) => this.take(box));
      return true;
    }
  }

  /** Break a name of several words into two lines of about equal length. */
  function breakName(name) {
    if (name.length < 11 || !name.includes(' ')) return [name];
    let best = -1;
    for (let i = name.indexOf(' '); i >= 0; i = name.indexOf(' ', i + 1)) {
      if (best < 0 || Math.abs(i - name.length / 2) < Math.abs(best - name.length / 2)) best = i;
    }
    return [name.slice(0, best), name.slice(best + 1)];
  }

  /** A line in canvas pixels, with the way to every point. */
  function measureLine(xy, view) {
    const points = new Float64Array(xy.length);
    const ways = [0];
    for (let i = 0; i < xy.length; i += 2) {
      points[i] = view.x(xy[i]);
      points[i + 1] = view.y(xy[i + 1]);
      if (i) ways.push(ways.at(-1) + Math.hypot(points[i] - points[i - 2], points[i + 1] - points[i - 1]));
    }
    return { points, ways, length: ways.at(-1) };
  }

  /** The point at some way along a line. */
  function pointAt({ points, ways }, way) {
    let i = 1;
    while (i < ways.length - 1 && ways[i] < way) i += 1;
    const t = (way - ways[i - 1]) / (ways[i] - ways[i - 1] || 1);
    return [
      points[2 * i - 2] + t * (points[2 * i] - points[2 * i - 2]),
      points[2 * i - 1] + t * (points[2 * i + 1] - points[2 * i - 1]),
    ];
  }

  /** Middle and reading angle of a stretch of a line; null where it bends too much to write on. */
  function straightStretch(line, from, to) {
    const [ax, ay] = pointAt(line, from);
    const [bx, by] = pointAt(line, to);
    if (Math.hypot(bx - ax, by - ay) < (to - from) * 0.985) return null;
    const [x, y] = pointAt(line, (from + to) / 2);
    let angle = Math.atan2(by - ay, bx - ax);
    if (angle > Math.PI / 2 || angle <= -Math.PI / 2) angle += Math.PI;
    return { x, y, angle };
  }

  const widths = new Map();

  /** One writing of all names on a canvas. */
  class Writer {
    constructor(ctx, view, colours, font) {
      this.ctx = ctx;
      this.view = view;
      this.colours = colours;
      this.font = font;
      this.room = new Room();
    }

    write(city, obstacles) {
      obstacles.forEach((box) => this.room.take(box));
      this.ctx.save();
      this.ctx.textBaseline = 'middle';
      this.ctx.textAlign = 'center';
      this.ctx.lineJoin = 'round';
      for (const part of [
        () => this.neighbourhoods(city.neighbourhoods), () => this.landmarks(city.landmarks),
        () => this.parks(city.parks), () => this.rivers(city.rivers), () => this.shores(city.shores),
        () => this.bridges(city.bridges), () => this.streets(city.streets),
      ]) {
        this.ctx.save();
        part();
        this.ctx.restore();
      }
      this.ctx.restore();
    }

    setFont(weight, size, spacing = 0) {
      this.ctx.font = `${weight} ${size.toFixed(2)}px ${this.font}`;
      this.ctx.letterSpacing = `${(size * spacing).toFixed(2)}px`;
    }

    measure(text) {
      const key = `${this.ctx.font}|${this.ctx.letterSpacing}|${text}`;
      let width = widths.get(key);
      if (width === undefined) {
        if (widths.size > 20000) widths.clear(); // every zoom has sizes of its own
        width = this.ctx.measureText(text).width;
        widths.set(key, width);
      }
      return width;
    }

    put(text, x, y, ink, halo, thickness = 3) {
      if (halo) {
        this.ctx.lineWidth = thickness;
        this.ctx.strokeStyle = this.colours[halo];
        this.ctx.strokeText(text, x, y);
      }
      this.ctx.fillStyle = this.colours[ink];
      this.ctx.fillText(text, x, y);
    }

    /** One or two lines around a point, if there is room; `fits(width, height)` may refuse them. */
    block(lines, x, y, size, margin, ink, halo, fits) {
      const width = Math.max(...lines.map((line) => this.measure(line)));
      const leading = size * 1.22;
      const half = (lines.length * leading) / 2;
      if (!fits(width, 2 * half)) return;
      const box = [x - width / 2 - margin, y - half, x + width / 2 + margin, y + half];
      if (!this.room.claim([box])) return;
      lines.forEach((line, i) => this.put(line, x, y - half + leading * (i + 0.5), ink, halo, 3.5));
    }

    neighbourhoods(areas) {
      const { zoom, scale } = this.view;
      this.ctx.globalAlpha = ramp(zoom, [[11, 0], [11.4, 1], [16.2, 1], [17.2, 0]]);
      if (!this.ctx.globalAlpha) return;
      const size = ramp(zoom, [[11, 8.5], [13, 10.5], [15, 13]]);
      this.setFont(600, size, 0.14);
      const extent = ([x0, y0, x1, y1]) => (x1 - x0) * (y1 - y0);
      const seen = areas.filter(({ isNamed, box }) => isNamed && this.view.sees(box));
      for (const area of seen.sort((a, b) => extent(b.box) - extent(a.box))) {
        const lines = breakName(String(area.properties.name).toLocaleUpperCase());
        const room = (area.box[2] - area.box[0]) * scale * 1.35;
        const [x, y] = [this.view.x(area.at[0]), this.view.y(area.at[1])];
        this.block(lines, x + size * 0.07, y, size, 4, 'area-ink', 'land', (width) => zoom >= 14.5 || width <= room);
      }
    }

    landmarks(marks) {
      const { zoom } = this.view;
      if (zoom < 12.6) return;
      const size = ramp(zoom, [[13, 10.5], [16, 12.5]]);
      const air = ramp(zoom, [[12.6, 80], [13.5, 34], [14.5, 9], [15.5, 3]]);
      const high = size * 0.72;
      this.ctx.textAlign = 'left';
      for (const { x: worldX, y: worldY, properties } of marks) {
        const [x, y] = [this.view.x(worldX), this.view.y(worldY)];
        if (x < -20 || y < -20 || x > this.view.width + 20 || y > this.view.height + 20 || !properties.name) continue;
        const sign = [x - 5, y - 5, x + 5, y + 5];
        if (!this.room.isFree(sign)) continue;
        const name = String(properties.name);
        const year = zoom >= 15.5 && properties.year ? String(properties.year) : '';
        this.setFont(400, size - 1);
        const yearWidth = year ? this.measure(year) + 5 : 0;
        this.setFont(500, size);
        const nameWidth = this.measure(name);
        const width = nameWidth + yearWidth;
        const place = [
          [x + 8, y], [x - 8 - width, y], [x - width / 2, y - 7 - high], [x - width / 2, y + 7 + high],
        ].find(([left, middle]) => this.room.isFree(
          [left - air, middle - high - air / 2, left + width + air, middle + high + air / 2],
        ));
        if (!place) continue;
        const [left, middle] = place;
        this.room.take(sign);
        this.room.take([left - 2, middle - high, left + width + 2, middle + high]);
        this.sign(x, y, ramp(zoom, [[13, 2.6], [16, 3.8]]));
        this.put(name, left, middle, 'landmark-ink', 'land');
        if (year) {
          this.setFont(400, size - 1);
          this.put(year, left + nameWidth + 5, middle, 'landmark-year', 'land');
        }
      }
    }

    /** The lozenge of a landmark. */
    sign(x, y, radius) {
      const { ctx } = this;
      ctx.beginPath();
      ctx.moveTo(x, y - radius);
      ctx.lineTo(x + radius, y);
      ctx.lineTo(x, y + radius);
      ctx.lineTo(x - radius, y);
      ctx.closePath();
      ctx.lineWidth = 2.5;
      ctx.strokeStyle = this.colours.land;
      ctx.stroke();
      ctx.fillStyle = this.colours['landmark-dot'];
      ctx.fill();
    }

    parks(parks) {
      const { zoom, scale } = this.view;
      if (zoom < 12) return;
      const size = ramp(zoom, [[12, 10], [16, 13]]);
      this.setFont('italic 400', size);
      for (const { isNamed, at, box, properties } of parks) {
        if (!isNamed || !this.view.sees(box)) continue;
        const [x, y] = [this.view.x(at[0]), this.view.y(at[1])];
        const [wide, high] = [(box[2] - box[0]) * scale, (box[3] - box[1]) * scale];
        const fits = (width, height) => width <= wide * 1.1 && height <= high * 1.2;
        this.block(breakName(String(properties.name)), x, y, size, 0, 'park-ink', 'park', fits);
      }
    }

    /** Rivers and bays are named along the lines that the city file gives for them. */
    rivers(rivers) {
      this.ctx.globalAlpha = ramp(this.view.zoom, [[10, 0.6], [11, 1], [16, 1], [17, 0]]);
      if (!this.ctx.globalAlpha) return;
      const size = ramp(this.view.zoom, [[10, 10], [13, 14], [15, 17]]);
      this.setFont('italic 400', size, 0.22);
      for (const river of rivers) {
        if ((river.breadth ?? Infinity) * this.view.scale > size * 1.5) this.along(river, size, 900, 'water-ink', null);
      }
    }

    shores(shores) {
      const { zoom } = this.view;
      this.ctx.globalAlpha = ramp(zoom, [[10, 0.6], [11, 1], [15, 1], [16, 0]]);
      if (!this.ctx.globalAlpha) return;
      const size = ramp(zoom, [[10, 9], [13, 12]]);
      this.setFont(500, size, 0.3);
      for (const { at: [x, y], properties } of shores) {
        if (!properties.name) continue;
        const lines = breakName(String(properties.name).toLocaleUpperCase());
        this.block(lines, this.view.x(x), this.view.y(y), size, 4, 'shore-ink', null, () => true);
      }
    }

    bridges(bridges) {
      if (this.view.zoom < 13.6) return;
      const size = ramp(this.view.zoom, [[13.6, 9], [16, 11.5]]);
      this.setFont(400, size, 0.04);
      bridges.forEach((bridge) => this.along(bridge, size, 900, 'street-ink', 'street-halo'));
    }

    streets(streets) {
      for (const rank of [2, 1, 0]) {
        if (this.view.zoom < STREETS_FROM[rank]) continue;
        const roadway = ramp(this.view.zoom, STREET_WIDTHS[rank]);
        const size = Math.min(12.5, Math.max(rank === 2 ? 9.5 : 9, roadway * 0.72));
        this.setFont(rank === 2 ? 500 : 400, size, rank === 2 ? 0.06 : 0);
        for (const street of streets) {
          if (street.rank === rank) this.along(street, size, rank === 2 ? 520 : 440, 'street-ink', 'street-halo');
        }
      }
    }

    /** Repeat a name at places that are fixed to its line, so that names stay put while the map is dragged. */
    along({ lines, box, properties }, size, spacing, ink, halo) {
      if (!properties.name || !this.view.sees(box)) return;
      const text = String(properties.name);
      const width = this.measure(text);
      for (const { xy, box: lineBox } of lines) {
        if (!this.view.sees(lineBox)) continue;
        const line = measureLine(xy, this.view);
        if (line.length < width + 12) continue;
        const count = Math.max(1, Math.round(line.length / (spacing + width)));
        for (let k = 0; k < count; k += 1) {
          const way = ((k + 0.5) * line.length) / count;
          const spot = straightStretch(line, way - width / 2, way + width / 2);
          if (spot) this.slant(text, spot, width, size, ink, halo);
        }
      }
    }

    /** A name at an angle, if it is on the canvas and there is room for it. */
    slant(text, { x, y, angle }, width, size, ink, halo) {
      if (x < -width || y < -width || x > this.view.width + width || y > this.view.height + width) return;
      const pieces = Math.max(2, Math.ceil(width / size));
      const boxes = Array.from({ length: pieces }, (_, i) => {
        const step = (i / (pieces - 1) - 0.5) * width;
        const [px, py] = [x + step * Math.cos(angle), y + step * Math.sin(angle)];
        return [px - size * 0.6, py - size * 0.6, px + size * 0.6, py + size * 0.6];
      });
      if (!this.room.claim(boxes)) return;
      this.ctx.save();
      this.ctx.translate(x, y);
      this.ctx.rotate(angle);
      this.put(text, 0, 0.5, ink, halo, 2.5);
      this.ctx.restore();
    }
  }

  return { Writer };
})();
