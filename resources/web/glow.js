// Where the model has seen photos, as lamplight: counts are gathered in a grid that is fixed to the Earth, taken as
// logarithms, laid down as soft stamps and turned into colour.
'use strict';

const Glow = (() => {
  const { ramp } = Geometry;
  const REACH = 2.1; // of a stamp, in radii

  /** One stamp of light: a bright heart in a wide faint halo. */
  function makeStamp() {
    const stamp = document.createElement('canvas');
    stamp.width = 64;
    stamp.height = 64;
    const pen = stamp.getContext('2d');
    const light = pen.createRadialGradient(32, 32, 0, 32, 32, 32);
    for (let i = 0; i <= 16; i += 1) {
      const d = i / 16;
      const depth = 0.82 * Math.exp(-((d / 0.3) ** 2)) + 0.18 * Math.exp(-((d / 0.62) ** 2)) * (1 - d * d);
      light.addColorStop(d, `rgb(255 255 255 / ${(100 * depth * (1 - d ** 4)).toFixed(2)}%)`);
    }
    pen.fillStyle = light;
    pen.fillRect(0, 0, 64, 64);
    return stamp;
  }

  let stamp = null;

  /** Sum the photos of cells that fall together at this zoom; the place is their centre of mass. */
  function gather(cells, scale, pitch) {
    const bins = new Map();
    for (const { x, y, photos } of cells) {
      const key = `${Math.floor((x * scale) / pitch)},${Math.floor((y * scale) / pitch)}`;
      const bin = bins.get(key) ?? { x: 0, y: 0, photos: 0 };
      bin.x += x * photos;
      bin.y += y * photos;
      bin.photos += photos;
      bins.set(key, bin);
    }
    return [...bins.values()].map(({ x, y, photos }) => ({ x: x / photos, y: y / photos, photos }));
  }

  /** 256 colours from faint outer light to the lamp itself. */
  function makeTable(colours) {
    const stops = ['glow-outer', 'glow-middle', 'glow-core'].map((name) => colours[name].split(/\s+/).map(Number));
    const table = new Uint8ClampedArray(256 * 4);
    for (let i = 0; i < 256; i += 1) {
      const t = i / 255;
      const [from, to, u] = t < 0.5 ? [stops[0], stops[1], t * 2] : [stops[1], stops[2], t * 2 - 1];
      for (let k = 0; k < 3; k += 1) table[4 * i + k] = from[k] + (to[k] - from[k]) * u;
      table[4 * i + 3] = 255 * Math.min(0.9, t ** 0.85);
    }
    return table;
  }

  /**
   * Draw the light of a coverage on a sheet of its own, which is coarser than the view and stretches over it.
   * Returns the sheet and the size to stretch it to.
   */
  function make(coverage, view, colours) {
    const radius = Math.max(coverage.size * view.scale * 1.05, ramp(view.zoom, [[9, 5], [13, 13], [16, 18]]));
    const bins = gather(coverage.cells, view.scale, radius / 2.5);
    const most = bins.reduce((sum, { photos }) => Math.max(sum, photos), 0);
    const shrink = Math.min(8, Math.max(2, radius / 7));
    const sheet = document.createElement('canvas');
    sheet.width = Math.ceil(view.width / shrink);
    sheet.height = Math.ceil(view.height / shrink);
    const pen = sheet.getContext('2d', { willReadFrequently: true });
    stamp ??= makeStamp();
    const side = (2 * REACH * radius) / shrink;
    for (const bin of bins) {
      const x = view.x(bin.x) / shrink;
      const y = view.y(bin.y) / shrink;
      if (x < -side || y < -side || x > sheet.width + side || y > sheet.height + side) continue;
      pen.globalAlpha = 0.16 + 0.44 * (Math.log1p(bin.photos) / Math.log1p(most));
      pen.drawImage(stamp, x - side / 2, y - side / 2, side, side);
    }
    const table = makeTable(colours);
    const image = pen.getImageData(0, 0, sheet.width, sheet.height);
    const { data } = image;
    for (let i = 0; i < data.length; i += 4) {
      const depth = data[i + 3] * 4;
      for (let k = 0; k < 4; k += 1) data[i + k] = table[depth + k];
    }
    pen.putImageData(image, 0, 0);
    return { sheet, width: sheet.width * shrink, height: sheet.height * shrink };
  }

  return { make };
})();
