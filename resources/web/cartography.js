// Draws the city: base, coverage glow and names, on one canvas that Leaflet moves and scales like its own.
// Geometry is kept in Mercator pixels of zoom 0, so that drawing is one multiplication per point.
'use strict';

const Cartography = (() => {
  const TILE = 256;

  /** x and y of a [lon, lat] pair in Mercator pixels of zoom 0. */
  function project(lon, lat) {
    const sin = Math.sin((Math.min(Math.max(lat, -85.05), 85.05) * Math.PI) / 180);
    return [TILE * (lon / 360 + 0.5), TILE * (0.5 - Math.log((1 + sin) / (1 - sin)) / (4 * Math.PI))];
  }

  // Reading a city

  /** A ring or line as a flat array of projected points, with its bounding box. */
  function readLine(points) {
    const xy = new Float64Array(points.length * 2);
    const box = [Infinity, Infinity, -Infinity, -Infinity];
    points.forEach(([lon, lat], i) => {
      const [x, y] = project(lon, lat);
      xy[2 * i] = x;
      xy[2 * i + 1] = y;
      box[0] = Math.min(box[0], x);
      box[1] = Math.min(box[1], y);
      box[2] = Math.max(box[2], x);
      box[3] = Math.max(box[3], y);
    });
    return { xy, box };
  }

  function union(boxes) {
    return boxes.reduce(
      (a, b) => [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[2], b[2]), Math.max(a[3], b[3])],
      [Infinity, Infinity, -Infinity, -Infinity],
    );
  }

  function readLines(geometry) {
    switch (geometry?.type) {
      case 'Polygon':
      case 'MultiLineString':
        return geometry.coordinates.map(readLine);
      case 'MultiPolygon':
        return geometry.coordinates.flat().map(readLine);
      case 'LineString':
        return [readLine(geometry.coordinates)];
      default:
        return [];
    }
  }

  function readFeatures(collection) {
    return (collection?.features ?? [])
      .map((feature) => {
        const lines = readLines(feature.geometry);
        return {
          lines,
          box: union(lines.map((line) => line.box)),
          isLine: Boolean(feature.geometry?.type?.endsWith('LineString')),
          properties: feature.properties ?? {},
        };
      })
      .filter((feature) => feature.lines.length);
  }

  function readPoints(collection) {
    return (collection?.features ?? [])
      .filter((feature) => feature.geometry?.type === 'Point')
      .map((feature) => {
        const [x, y] = project(...feature.geometry.coordinates);
        return { x, y, properties: feature.properties ?? {} };
      });
  }

  /** Turn a city file into what is drawn. */
  function readCity(data) {
    const layers = data.layers ?? {};
    const water = readFeatures(layers.water); // areas are ponds; lines say where the name of a river runs
    const neighbourhoods = readFeatures(layers.neighbourhoods);
    for (const area of neighbourhoods) {
      const label = area.properties.label;
      area.at = Array.isArray(label)
        ? project(label[0], label[1])
        : [(area.box[0] + area.box[2]) / 2, (area.box[1] + area.box[3]) / 2];
    }
    return {
      land: readFeatures(layers.land),
      parks: readFeatures(layers.parks),
      ponds: water.filter(({ isLine }) => !isLine),
      rivers: water.filter(({ isLine }) => isLine),
      streets: readFeatures(layers.streets).map((street) => ({ ...street, rank: rankOf(street.properties) })),
      neighbourhoods,
      landmarks: readPoints(layers.landmarks),
    };
  }

  /** 2: avenues and other long roads, 1: wide streets, 0: the rest. */
  function rankOf({ kind, major }) {
    if (kind === 'street') return major ? 1 : 0;
    return major === false ? 1 : 2;
  }

  /** Turn a coverage grid into projected cell centres with counts. */
  function readCoverage(data) {
    const cells = data.cells.map(([row, column, photos]) => {
      const lat = data.south + (row + 0.5) * data.cell_lat;
      const [x, y] = project(data.west + (column + 0.5) * data.cell_lon, lat);
      return { x, y, photos };
    });
    const [, top] = project(data.west, data.south + data.cell_lat);
    const [left, bottom] = project(data.west, data.south);
    const [right] = project(data.west + data.cell_lon, data.south);
    return { cells, size: Math.max(bottom - top, right - left) };
  }

  // Styles: colours from the style sheet, sizes from the zoom

  const COLOURS = [
    'water', 'shallow', 'waterline', 'water-ink', 'coast', 'land', 'park', 'park-edge', 'park-ink', 'street',
    'street-edge', 'avenue', 'avenue-edge', 'border', 'area-ink', 'landmark-ink', 'landmark-year', 'landmark-dot',
    'street-ink', 'glow-outer', 'glow-middle', 'glow-core', 'glow-blend', 'glow-under', 'glow-over',
  ];

  /** A value that runs through [zoom, value] stops, in a straight line between them. */
  function ramp(zoom, stops) {
    if (zoom <= stops[0][0]) return stops[0][1];
    for (let i = 1; i < stops.length; i += 1) {
      if (zoom <= stops[i][0]) {
        const [z0, a] = stops[i - 1];
        const [z1, b] = stops[i];
        return a + ((b - a) * (zoom - z0)) / (z1 - z0);
      }
    }
    return stops[stops.length - 1][1];
  }

  const WIDTHS = [
    [[12.6, 0.5], [14, 1.1], [15, 2.2], [16, 4.6], [17, 8.5], [18, 16], [19, 30]],
    [[11.8, 0.5], [13, 0.9], [14, 1.8], [15, 3.2], [16, 6.4], [17, 12], [18, 23], [19, 44]],
    [[10, 0.5], [12, 0.9], [13, 1.6], [14, 2.7], [15, 4.4], [16, 7.6], [17, 13.5], [18, 25], [19, 48]],
  ];
  const OPACITIES = [
    [[13, 0], [13.8, 1]],
    [[12, 0], [12.8, 1]],
    [[10, 0.5], [11.5, 1]],
  ];
  const NAMED_FROM = [15.6, 14.7, 13.7];

  // Names

  /** Boxes that are taken, in a grid of buckets; `place` takes all of some boxes or none. */
  class Occupied {
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

    place(boxes) {
      if (!boxes.every((box) => this.isFree(box))) return false;
      boxes.forEach((box) => this.take(box));
      return true;
    }
  }

  /** The longest nearly straight stretch about a point of a line, as angle; null where the line bends too much. */
  function straightAt(points, distances, from, to) {
    const at = (s) => {
      let i = 1;
      while (i < distances.length - 1 && distances[i] < s) i += 1;
      const span = distances[i] - distances[i - 1] || 1;
      const t = (s - distances[i - 1]) / span;
      return [
        points[2 * i - 2] + t * (points[2 * i] - points[2 * i - 2]),
        points[2 * i - 1] + t * (points[2 * i + 1] - points[2 * i - 1]),
      ];
    };
    const [ax, ay] = at(from);
    const [bx, by] = at(to);
    const chord = Math.hypot(bx - ax, by - ay);
    if (chord < (to - from) * 0.985) return null;
    const [mx, my] = at((from + to) / 2);
    let angle = Math.atan2(by - ay, bx - ax);
    if (angle > Math.PI / 2 || angle <= -Math.PI / 2) angle += Math.PI;
    return { x: mx, y: my, angle };
  }

  // The layer

  const CityLayer = L.Renderer.extend({
    options: { pane: 'city', padding: 0.35 },

    initialize(options) {
      L.Renderer.prototype.initialize.call(this, options);
      this._city = null;
      this._coverage = null;
      this._colours = {};
      this._widths = new Map();
      this._obstacles = () => [];
    },

    setCity(data) {
      this._city = data ? readCity(data) : null;
      this.redraw();
    },

    setCoverage(data) {
      this._coverage = data ? readCoverage(data) : null;
      this.redraw();
    },

    /** A function that returns boxes in container pixels which names should keep clear of. */
    setObstacles(obstacles) {
      this._obstacles = obstacles;
    },

    /** Read font and colours from the style sheet anew. */
    setTheme() {
      const style = getComputedStyle(document.documentElement);
      const value = (name) => style.getPropertyValue(`--${name}`).trim();
      this._colours = Object.fromEntries(COLOURS.map((name) => [name, value(name)]));
      this._font = value('font');
      this._widths.clear();
      this.redraw();
    },

    redraw() {
      if (this._map && this._ctx) this._update();
    },

    getEvents() {
      const events = L.Renderer.prototype.getEvents.call(this);
      events.move = this._onMove;
      return events;
    },

    _initContainer() {
      this._container = document.createElement('canvas');
      this._ctx = this._container.getContext('2d');
    },

    _destroyContainer() {
      L.Util.cancelAnimFrame(this._frame);
      this._container.remove();
      delete this._container;
      delete this._ctx;
    },

    /** While the map flies or is dragged beyond what is drawn, draw again, at most once a frame. */
    _onMove() {
      if (this._frame || !this._drawn) return;
      const map = this._map;
      const scale = map.getZoomScale(map.getZoom(), this._zoom);
      const seen = map.getPixelBounds();
      const factor = 1 / scale;
      const covered = this._drawn.contains(L.bounds(seen.min.multiplyBy(factor), seen.max.multiplyBy(factor)));
      if (covered && scale < 1.6 && scale > 0.7) return;
      this._frame = L.Util.requestAnimFrame(() => {
        this._frame = null;
        if (this._map) this._update();
      });
    },

    _update() {
      const map = this._map;
      if (!map || (map._animatingZoom && this._bounds)) return;
      L.Renderer.prototype._update.call(this);
      const bounds = this._bounds;
      const size = bounds.getSize();
      const ratio = window.devicePixelRatio || 1;
      const canvas = this._container;
      L.DomUtil.setPosition(canvas, bounds.min);
      const [width, height] = [Math.round(size.x * ratio), Math.round(size.y * ratio)];
      if (canvas.width !== width || canvas.height !== height) {
        canvas.width = width;
        canvas.height = height;
        canvas.style.width = `${size.x}px`;
        canvas.style.height = `${size.y}px`;
      }
      const origin = map.getPixelOrigin().add(bounds.min);
      this._drawn = L.bounds(origin, origin.add(size));
      this._draw(origin, size, ratio);
      this.fire('update');
    },

    _draw(origin, size, ratio) {
      const ctx = this._ctx;
      const zoom = this._map.getZoom();
      const scale = 2 ** zoom;
      ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
      ctx.clearRect(0, 0, size.x, size.y);
      const view = {
        zoom, scale, ratio, width: size.x, height: size.y, ox: origin.x / scale, oy: origin.y / scale,
      };
      view.sees = (box, margin = 0) => {
        const m = margin / scale;
        return box[2] >= view.ox - m && box[0] <= view.ox + view.width / scale + m
          && box[3] >= view.oy - m && box[1] <= view.oy + view.height / scale + m;
      };
      ctx.lineJoin = 'round';
      ctx.lineCap = 'round';
      ctx.fillStyle = this._colours.water;
      ctx.fillRect(0, 0, size.x, size.y);
      if (this._city) this._drawLand(ctx, view);
      const glow = this._coverage ? this._makeGlow(view) : null;
      // Some of the light lies under the streets and some on them, so that they stay to be seen in it.
      this._layGlow(ctx, glow, Number(this._colours['glow-under']));
      if (this._city) this._drawLines(ctx, view);
      this._layGlow(ctx, glow, Number(this._colours['glow-over']));
      if (this._city) this._drawNames(ctx, view);
    },

    /** Add lines to a path; points nearer than half a pixel to the last one are left out. */
    _trace(path, lines, view, closed, margin) {
      for (const { xy, box } of lines) {
        if (!view.sees(box, margin)) continue;
        let px = NaN;
        let py = NaN;
        for (let i = 0; i < xy.length; i += 2) {
          const x = (xy[i] - view.ox) * view.scale;
          const y = (xy[i + 1] - view.oy) * view.scale;
          if (i === 0) path.moveTo(x, y);
          else if (Math.abs(x - px) + Math.abs(y - py) < 0.5 && i < xy.length - 2) continue;
          else path.lineTo(x, y);
          px = x;
          py = y;
        }
        if (closed) path.closePath();
      }
      return path;
    },

    _path(features, view, closed, margin = 60) {
      const path = new Path2D();
      for (const feature of features) {
        if (view.sees(feature.box, margin)) this._trace(path, feature.lines, view, closed, margin);
      }
      return path;
    },

    _drawLand(ctx, view) {
      const { _city: city, _colours: colours } = this;
      const { zoom } = view;

      // Shallows along the coast as in an engraved chart: steps of tone, each with a thin line at its edge.
      const land = this._path(city.land, view, true, 90);
      this._land = land;
      const reach = ramp(zoom, [[9, 0.35], [12, 1], [16, 1.7]]);
      for (const [distance, tone, line] of [[26, 0.2, 0.22], [17, 0.4, 0.36], [10, 0.65, 0.55], [4.5, 1, 0.8]]) {
        const wide = 2 * distance * reach;
        ctx.lineWidth = wide;
        ctx.strokeStyle = blend(colours.water, colours.waterline, line);
        ctx.stroke(land);
        ctx.lineWidth = wide - 1.4;
        ctx.strokeStyle = blend(colours.water, colours.shallow, tone);
        ctx.stroke(land);
      }
      ctx.fillStyle = colours.land;
      ctx.fill(land, 'evenodd');

      ctx.save();
      ctx.clip(land, 'evenodd');
      ctx.lineWidth = 1;
      const parks = this._path(city.parks, view, true, 8);
      ctx.fillStyle = colours.park;
      ctx.fill(parks, 'evenodd');
      ctx.strokeStyle = colours['park-edge'];
      ctx.stroke(parks);
      const ponds = this._path(city.ponds, view, true, 8);
      ctx.fillStyle = colours.shallow;
      ctx.fill(ponds, 'evenodd');
      ctx.strokeStyle = colours.waterline;
      ctx.stroke(ponds);
      ctx.restore();
    },

    _drawLines(ctx, view) {
      const { _city: city, _colours: colours } = this;
      const { zoom } = view;
      ctx.save();
      ctx.clip(this._land, 'evenodd');
      this._drawStreets(ctx, view);
      const strength = ramp(zoom, [[10.6, 0], [11.6, 0.7], [15, 0.6], [17.5, 0.35]]);
      if (strength > 0) {
        ctx.globalAlpha = strength;
        ctx.lineWidth = ramp(zoom, [[11, 0.7], [15, 1.2]]);
        ctx.lineCap = 'butt';
        ctx.setLineDash(zoom < 12.5 ? [1.5, 2.5] : [1.5, 3.5, 6, 3.5]);
        ctx.strokeStyle = colours.border;
        ctx.stroke(this._path(city.neighbourhoods, view, true, 8));
      }
      ctx.restore();
      ctx.lineWidth = ramp(zoom, [[10, 0.6], [14, 1], [17, 1.5]]);
      ctx.strokeStyle = colours.coast;
      ctx.stroke(this._land);
    },

    _drawStreets(ctx, view) {
      const { _city: city, _colours: colours } = this;
      const { zoom } = view;
      const levels = [0, 1, 2]
        .map((rank) => ({
          rank, width: ramp(zoom, WIDTHS[rank]), opacity: ramp(zoom, OPACITIES[rank]),
        }))
        .filter(({ opacity }) => opacity > 0);
      for (const level of levels) {
        level.path = this._path(city.streets.filter(({ rank }) => rank === level.rank), view, false);
      }
      // All edges first, all roadways after: crossings stay open.
      if (zoom >= 12.5) {
        for (const { rank, width, opacity, path } of levels) {
          ctx.globalAlpha = opacity * ramp(zoom, [[12.5, 0], [13.5, 1]]);
          ctx.lineWidth = width + ramp(zoom, [[13, 1], [16, 1.8]]);
          ctx.strokeStyle = rank === 2 ? colours['avenue-edge'] : colours['street-edge'];
          ctx.stroke(path);
        }
      }
      for (const { rank, width, opacity, path } of levels) {
        ctx.globalAlpha = opacity;
        ctx.lineWidth = width;
        ctx.strokeStyle = rank === 2 ? colours.avenue : colours.street;
        if (zoom < 12.5 && rank === 2) ctx.strokeStyle = blend(colours.avenue, colours['avenue-edge'], 0.5);
        ctx.stroke(path);
      }
      ctx.globalAlpha = 1;
    },

    // Coverage: counts are gathered in a grid fixed to the Earth, taken as logarithms, and laid down as soft light.

    _makeGlow(view) {
      const { cells, size } = this._coverage;
      const radius = Math.max(size * view.scale * 1.05, ramp(view.zoom, [[9, 5], [13, 13], [16, 18]]));
      const pitch = radius / 2.5;
      const sums = new Map();
      let most = 0;
      for (const { x, y, photos } of cells) {
        const column = Math.floor((x * view.scale) / pitch);
        const row = Math.floor((y * view.scale) / pitch);
        const key = `${column},${row}`;
        const bin = sums.get(key) ?? { x: 0, y: 0, photos: 0 };
        bin.x += x * photos;
        bin.y += y * photos;
        bin.photos += photos;
        sums.set(key, bin);
        most = Math.max(most, bin.photos);
      }
      const shrink = Math.min(8, Math.max(2, radius / 7));
      const sheet = document.createElement('canvas');
      sheet.width = Math.ceil(view.width / shrink);
      sheet.height = Math.ceil(view.height / shrink);
      const pen = sheet.getContext('2d', { willReadFrequently: true });
      this._lamp ??= makeLamp();
      const side = (2 * 2.1 * radius) / shrink;
      for (const bin of sums.values()) {
        const x = ((bin.x / bin.photos - view.ox) * view.scale) / shrink;
        const y = ((bin.y / bin.photos - view.oy) * view.scale) / shrink;
        if (x < -side || y < -side || x > sheet.width + side || y > sheet.height + side) continue;
        pen.globalAlpha = 0.16 + 0.44 * (Math.log1p(bin.photos) / Math.log1p(most));
        pen.drawImage(this._lamp, x - side / 2, y - side / 2, side, side);
      }
      this._colourGlow(pen, sheet);
      return { sheet, width: sheet.width * shrink, height: sheet.height * shrink };
    },

    _layGlow(ctx, glow, opacity) {
      if (!glow) return;
      ctx.save();
      ctx.globalAlpha = opacity;
      ctx.globalCompositeOperation = this._colours['glow-blend'];
      ctx.imageSmoothingEnabled = true;
      ctx.imageSmoothingQuality = 'high';
      ctx.drawImage(glow.sheet, 0, 0, glow.width, glow.height);
      ctx.restore();
    },

    /** Turn depth of light into colour: faint amber outside, lamplight in the middle. */
    _colourGlow(pen, sheet) {
      const stops = ['glow-outer', 'glow-middle', 'glow-core'].map((name) => this._colours[name].split(/\s+/).map(Number));
      const table = new Uint8ClampedArray(256 * 4);
      for (let i = 0; i < 256; i += 1) {
        const t = i / 255;
        const [a, b, u] = t < 0.5 ? [stops[0], stops[1], t * 2] : [stops[1], stops[2], t * 2 - 1];
        for (let k = 0; k < 3; k += 1) table[4 * i + k] = a[k] + (b[k] - a[k]) * u;
        table[4 * i + 3] = 255 * Math.min(0.9, t ** 0.85);
      }
      const image = pen.getImageData(0, 0, sheet.width, sheet.height);
      const { data } = image;
      for (let i = 0; i < data.length; i += 4) {
        const depth = data[i + 3] * 4;
        for (let k = 0; k < 4; k += 1) data[i + k] = table[depth + k];
      }
      pen.putImageData(image, 0, 0);
    },

    // Names, most important first; each takes its room or is left out.

    _drawNames(ctx, view) {
      const occupied = new Occupied();
      const offset = this._bounds.min.subtract(this._map.containerPointToLayerPoint([0, 0]));
      for (const box of this._obstacles()) {
        occupied.take([box[0] - offset.x, box[1] - offset.y, box[2] - offset.x, box[3] - offset.y]);
      }
      ctx.textBaseline = 'middle';
      ctx.textAlign = 'center';
      this._nameNeighbourhoods(ctx, view, occupied);
      this._nameLandmarks(ctx, view, occupied);
      this._nameParks(ctx, view, occupied);
      this._nameWaters(ctx, view, occupied);
      this._nameStreets(ctx, view, occupied);
    },

    _measure(ctx, text) {
      const key = `${ctx.font}|${ctx.letterSpacing}|${text}`;
      let width = this._widths.get(key);
      if (width === undefined) {
        width = ctx.measureText(text).width;
        this._widths.set(key, width);
      }
      return width;
    },

    _write(ctx, text, x, y, ink, halo, thickness = 3) {
      ctx.lineWidth = thickness;
      ctx.strokeStyle = halo;
      ctx.strokeText(text, x, y);
      ctx.fillStyle = ink;
      ctx.fillText(text, x, y);
    },

    _nameNeighbourhoods(ctx, view, occupied) {
      const { zoom } = view;
      const opacity = ramp(zoom, [[11, 0], [11.4, 1], [16.2, 1], [17.2, 0]]);
      if (opacity <= 0) return;
      const size = ramp(zoom, [[11, 8.5], [13, 10.5], [15, 13]]);
      ctx.save();
      ctx.globalAlpha = opacity;
      ctx.font = `600 ${size}px ${this._font}`;
      ctx.letterSpacing = `${(size * 0.14).toFixed(2)}px`;
      const areas = this._city.neighbourhoods
        .filter((area) => area.properties.name && view.sees(area.box))
        .sort((a, b) => extent(b.box) - extent(a.box));
      for (const area of areas) {
        const lines = breakName(String(area.properties.name).toLocaleUpperCase());
        const widths = lines.map((line) => this._measure(ctx, line));
        const width = Math.max(...widths);
        if (width > (area.box[2] - area.box[0]) * view.scale * 1.35 && zoom < 14.5) continue;
        const x = (area.at[0] - view.ox) * view.scale;
        const y = (area.at[1] - view.oy) * view.scale;
        const leading = size * 1.25;
        const half = (lines.length * leading) / 2;
        if (!occupied.place([[x - width / 2 - 4, y - half - 2, x + width / 2 + 4, y + half + 2]])) continue;
        lines.forEach((line, i) => {
          const at = y - half + leading * (i + 0.5);
          this._write(ctx, line, x + size * 0.07, at, this._colours['area-ink'], this._colours.land, 3.5);
        });
      }
      ctx.restore();
    },

    _nameLandmarks(ctx, view, occupied) {
      const { zoom } = view;
      if (zoom < 12.6) return;
      const size = ramp(zoom, [[13, 10.5], [16, 12.5]]);
      const room = ramp(zoom, [[12.6, 26], [14, 10], [15.5, 3]]);
      ctx.save();
      const seen = this._city.landmarks
        .map((mark) => ({
          mark, x: (mark.x - view.ox) * view.scale, y: (mark.y - view.oy) * view.scale,
        }))
        .filter(({ x, y }) => x > -20 && y > -20 && x < view.width + 20 && y < view.height + 20);
      for (const { mark, x, y } of seen) {
        const name = String(mark.properties.name ?? '');
        if (!name) continue;
        ctx.font = `500 ${size}px ${this._font}`;
        const year = zoom >= 15.5 && mark.properties.year ? String(mark.properties.year) : '';
        const wide = this._measure(ctx, name);
        ctx.font = `400 ${size - 1}px ${this._font}`;
        const yearWide = year ? this._measure(ctx, year) + 5 : 0;
        const total = wide + yearWide;
        const high = size * 0.72;
        const spot = [x - 5, y - 5, x + 5, y + 5];
        if (!occupied.isFree(spot)) continue;
        const choices = [
          { x: x + 8, y }, { x: x - 8 - total, y },
          { x: x - total / 2, y: y - 7 - high }, { x: x - total / 2, y: y + 7 + high },
        ];
        const choice = choices.find((at) => occupied.isFree(
          [at.x - room, at.y - high - room / 2, at.x + total + room, at.y + high + room / 2],
        ));
        if (!choice) continue;
        occupied.take(spot);
        occupied.take([choice.x - 2, choice.y - high, choice.x + total + 2, choice.y + high]);
        this._landmarkSign(ctx, x, y, zoom);
        ctx.textAlign = 'left';
        ctx.font = `500 ${size}px ${this._font}`;
        this._write(ctx, name, choice.x, choice.y, this._colours['landmark-ink'], this._colours.land);
        if (year) {
          ctx.font = `400 ${size - 1}px ${this._font}`;
          this._write(ctx, year, choice.x + wide + 5, choice.y, this._colours['landmark-year'], this._colours.land);
        }
      }
      ctx.restore();
    },

    _landmarkSign(ctx, x, y, zoom) {
      const r = ramp(zoom, [[13, 2.6], [16, 3.8]]);
      ctx.beginPath();
      ctx.moveTo(x, y - r);
      ctx.lineTo(x + r, y);
      ctx.lineTo(x, y + r);
      ctx.lineTo(x - r, y);
      ctx.closePath();
      ctx.lineWidth = 2.5;
      ctx.strokeStyle = this._colours.land;
      ctx.stroke();
      ctx.fillStyle = this._colours['landmark-dot'];
      ctx.fill();
    },

    _nameParks(ctx, view, occupied) {
      if (view.zoom < 12) return;
      const size = ramp(view.zoom, [[12, 10], [16, 13]]);
      ctx.save();
      ctx.font = `italic 400 ${size}px ${this._font}`;
      for (const park of this._city.parks) {
        const name = park.properties.name;
        if (!name || !view.sees(park.box)) continue;
        const lines = breakName(String(name));
        const width = Math.max(...lines.map((line) => this._measure(ctx, line)));
        const room = (park.box[2] - park.box[0]) * view.scale;
        const height = (park.box[3] - park.box[1]) * view.scale;
        if (width > room * 1.1 || size * lines.length > height) continue;
        const x = ((park.box[0] + park.box[2]) / 2 - view.ox) * view.scale;
        const y = ((park.box[1] + park.box[3]) / 2 - view.oy) * view.scale;
        const half = (lines.length * size * 1.2) / 2;
        if (!occupied.place([[x - width / 2, y - half, x + width / 2, y + half]])) continue;
        lines.forEach((line, i) => {
          const at = y - half + size * 1.2 * (i + 0.5);
          this._write(ctx, line, x, at, this._colours['park-ink'], this._colours.park);
        });
      }
      ctx.restore();
    },

    /** Names of rivers and harbours run along the line that the city file gives for them. */
    _nameWaters(ctx, view, occupied) {
      const opacity = ramp(view.zoom, [[10, 0.6], [11, 1], [16, 1], [17, 0]]);
      if (opacity <= 0) return;
      const size = ramp(view.zoom, [[10, 10], [13, 14], [15, 17]]);
      ctx.save();
      ctx.globalAlpha = opacity;
      ctx.font = `italic 400 ${size}px ${this._font}`;
      ctx.letterSpacing = `${(size * 0.22).toFixed(2)}px`;
      for (const water of this._city.rivers) {
        this._nameAlong(ctx, view, occupied, water, size, 900, this._colours['water-ink'], null);
      }
      ctx.restore();
    },

    _nameStreets(ctx, view, occupied) {
      const { zoom } = view;
      ctx.save();
      for (const rank of [2, 1, 0]) {
        if (zoom < NAMED_FROM[rank]) continue;
        const width = ramp(zoom, WIDTHS[rank]);
        const size = Math.min(12.5, Math.max(rank === 2 ? 9.5 : 9, width * 0.72));
        ctx.font = `${rank === 2 ? 500 : 400} ${size}px ${this._font}`;
        ctx.letterSpacing = rank === 2 ? `${(size * 0.06).toFixed(2)}px` : '0px';
        const halo = rank === 2 ? this._colours.avenue : this._colours.street;
        for (const street of this._city.streets) {
          if (street.rank !== rank || !view.sees(street.box)) continue;
          this._nameAlong(ctx, view, occupied, street, size, rank === 2 ? 520 : 440, this._colours['street-ink'], halo);
        }
      }
      ctx.restore();
    },

    /** Repeat a name along a line at distances fixed to the line, so that it stays put while the map is dragged. */
    _nameAlong(ctx, view, occupied, feature, size, spacing, ink, halo) {
      const name = feature.properties.name;
      if (!name) return;
      const text = String(name);
      const width = this._measure(ctx, text);
      for (const { xy, box } of feature.lines) {
        if (!view.sees(box)) continue;
        const points = new Float64Array(xy.length);
        const distances = [0];
        for (let i = 0; i < xy.length; i += 2) {
          points[i] = (xy[i] - view.ox) * view.scale;
          points[i + 1] = (xy[i + 1] - view.oy) * view.scale;
          if (i) {
            distances.push(distances[distances.length - 1]
              + Math.hypot(points[i] - points[i - 2], points[i + 1] - points[i - 1]));
          }
        }
        const length = distances[distances.length - 1];
        if (length < width + 12) continue;
        const count = Math.max(1, Math.round(length / (spacing + width)));
        const step = length / count;
        for (let k = 0; k < count; k += 1) {
          const middle = (k + 0.5) * step;
          const spot = straightAt(points, distances, middle - width / 2, middle + width / 2);
          if (!spot || spot.x < -width || spot.y < -width || spot.x > view.width + width
            || spot.y > view.height + width) continue;
          const boxes = [];
          const pieces = Math.max(2, Math.ceil(width / size));
          for (let i = 0; i < pieces; i += 1) {
            const d = (i / (pieces - 1) - 0.5) * width;
            const x = spot.x + d * Math.cos(spot.angle);
            const y = spot.y + d * Math.sin(spot.angle);
            boxes.push([x - size * 0.6, y - size * 0.6, x + size * 0.6, y + size * 0.6]);
          }
          if (!boxes.every((each) => occupied.isFree(each))) continue;
          boxes.forEach((each) => occupied.take(each));
          ctx.save();
          ctx.translate(spot.x, spot.y);
          ctx.rotate(spot.angle);
          if (halo) this._write(ctx, text, 0, 0.5, ink, halo, 2.5);
          else {
            ctx.fillStyle = ink;
            ctx.fillText(text, 0, 0);
          }
          ctx.restore();
        }
      }
    },
  });

  function extent(box) {
    return (box[2] - box[0]) * (box[3] - box[1]);
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

  /** A colour between two #rrggbb colours. */
  function blend(from, to, t) {
    const part = (colour, i) => parseInt(colour.slice(i, i + 2), 16);
    const mixed = [1, 3, 5].map((i) => Math.round(part(from, i) + (part(to, i) - part(from, i)) * t));
    return `rgb(${mixed.join(' ')})`;
  }

  /** One soft stamp of light: a bright heart in a wide faint halo. */
  function makeLamp() {
    const lamp = document.createElement('canvas');
    lamp.width = 64;
    lamp.height = 64;
    const pen = lamp.getContext('2d');
    const light = pen.createRadialGradient(32, 32, 0, 32, 32, 32);
    for (let i = 0; i <= 16; i += 1) {
      const d = i / 16;
      const depth = 0.82 * Math.exp(-((d / 0.3) ** 2)) + 0.18 * Math.exp(-((d / 0.62) ** 2)) * (1 - d * d);
      light.addColorStop(d, `rgb(255 255 255 / ${(100 * depth * (1 - d ** 4)).toFixed(2)}%)`);
    }
    pen.fillStyle = light;
    pen.fillRect(0, 0, 64, 64);
    return lamp;
  }

  return { CityLayer, readCity, readCoverage, project, breakName };
})();
