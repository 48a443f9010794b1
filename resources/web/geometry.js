// Reads a city file and a coverage grid into what is drawn. Geometry is kept in Mercator pixels of zoom 0, so that
// drawing is one multiplication per point.
'use strict';

const Geometry = (() => {
  const TILE = 256;
  const EQUATOR = 40075016.686; // metres

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
    for (const river of water) {
      // As wide as the river is in pixels of zoom 0; names must fit between the shores.
      if (river.properties.width) river.breadth = river.properties.width / metresPerPixel(river.lines[0].xy[1]);
    }
    const parks = readFeatures(layers.parks);
    for (const park of parks) {
      // A name stands in the middle of its park; along the river that would be in the street, so there is none.
      park.at = [(park.box[0] + park.box[2]) / 2, (park.box[1] + park.box[3]) / 2];
      park.isNamed = park.properties.name && park.lines.some(({ xy }) => isWithin(park.at, xy));
    }
    const parkNames = new Set(parks.map(({ properties }) => properties.name));
    const neighbourhoods = readFeatures(layers.neighbourhoods);
    for (const area of neighbourhoods) {
      const label = area.properties.label;
      area.isNamed = area.properties.name && !parkNames.has(area.properties.name); // one name is enough
      area.at = Array.isArray(label)
        ? project(label[0], label[1])
        : [(area.box[0] + area.box[2]) / 2, (area.box[1] + area.box[3]) / 2];
    }
    const land = readFeatures(layers.land);
    const shores = land.filter(({ properties }) => properties.kind === 'shore'); // land of others across the water
    for (const shore of shores) shore.at = centroid(shore.lines[0].xy);
    const outer = union(shores.map(({ box }) => box));
    const [west, north] = data.box ? project(data.box.west, data.box.north) : [];
    const [east, south] = data.box ? project(data.box.east, data.box.south) : [];
    return {
      // The shores are cut off somewhere: between these two boxes the sheet fades.
      fade: data.box && shores.length ? { inner: [west, north, east, south], outer } : null,
      land: land.filter((area) => !shores.includes(area)),
      shores,
      bridges: readFeatures(layers.bridges),
      parks,
      ponds: water.filter(({ isLine }) => !isLine),
      rivers: water.filter(({ isLine }) => isLine),
      streets: readFeatures(layers.streets).map((street) => ({ ...street, rank: rankOf(street.properties) })),
      neighbourhoods,
      landmarks: readPoints(layers.landmarks),
    };
  }

  /** Metres of a pixel of zoom 0 at some y. */
  function metresPerPixel(y) {
    return EQUATOR / TILE / Math.cosh(Math.PI * (1 - (2 * y) / TILE));
  }

  /** Centre of mass of a ring. */
  function centroid(xy) {
    const [x0, y0] = xy;
    let [area, cx, cy] = [0, 0, 0];
    for (let i = 0; i + 3 < xy.length; i += 2) {
      const [ax, ay, bx, by] = [xy[i] - x0, xy[i + 1] - y0, xy[i + 2] - x0, xy[i + 3] - y0];
      const cross = ax * by - bx * ay;
      area += cross;
      cx += (ax + bx) * cross;
      cy += (ay + by) * cross;
    }
    return area ? [x0 + cx / (3 * area), y0 + cy / (3 * area)] : [x0, y0];
  }

  /** Whether a point lies within a ring. */
  function isWithin([x, y], xy) {
    let isInside = false;
    for (let i = 0, j = xy.length - 2; i < xy.length; j = i, i += 2) {
      const crosses = xy[i + 1] > y !== xy[j + 1] > y;
      if (crosses && x < ((xy[j] - xy[i]) * (y - xy[i + 1])) / (xy[j + 1] - xy[i + 1]) + xy[i]) isInside = !isInside;
    }
    return isInside;
  }

  /** 2: avenues and other long roads, 1: wide streets, 0: the rest. */
  function rankOf({ kind, major }) {
    if (kind === 'street') return major ? 1 : 0;
    return major === false ? 1 : 2;
  }

  /** Turn a coverage grid into projected cell centres with counts. */
  function readCoverage(data) {
    const cells = data.cells.filter(([, , photos]) => photos > 0).map(([row, column, photos]) => {
      const lat = data.south + (row + 0.5) * data.cell_lat;
      const [x, y] = project(data.west + (column + 0.5) * data.cell_lon, lat);
      return { x, y, photos };
    });
    const [, top] = project(data.west, data.south + data.cell_lat);
    const [left, bottom] = project(data.west, data.south);
    const [right] = project(data.west + data.cell_lon, data.south);
    return { cells, size: Math.max(bottom - top, right - left) };
  }

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

  /** A colour between two #rrggbb colours. */
  function blend(from, to, t) {
    const part = (colour, i) => parseInt(colour.slice(i, i + 2), 16);
    const mixed = [1, 3, 5].map((i) => Math.round(part(from, i) + (part(to, i) - part(from, i)) * t));
    return `rgb(${mixed.join(' ')})`;
  }

  /** Widths of roadways in pixels by zoom, for the ranks 0, 1 and 2. */
  const STREET_WIDTHS = [
    [[12.6, 0.5], [14, 1.1], [15, 2.2], [16, 4.6], [17, 8.5], [18, 16], [19, 30]],
    [[11.8, 0.5], [13, 0.9], [14, 1.8], [15, 3.2], [16, 6.4], [17, 12], [18, 23], [19, 44]],
    [[10, 0.5], [12, 0.9], [13, 1.6], [14, 2.7], [15, 4.4], [16, 7.6], [17, 13.5], [18, 25], [19, 48]],
  ];

  /** The part of the world that a canvas shows: turns Mercator pixels of zoom 0 into canvas pixels. */
  class View {
    constructor(zoom, origin, size) {
      this.zoom = zoom;
      this.scale = 2 ** zoom;
      this.width = size.x;
      this.height = size.y;
      this.left = origin.x / this.scale;
      this.top = origin.y / this.scale;
    }

    x(x) {
      return (x - this.left) * this.scale;
    }

    y(y) {
      return (y - this.top) * this.scale;
    }

    /** Whether a box touches the canvas or a margin (pixels) around it. */
    sees([x0, y0, x1, y1], margin = 0) {
      return this.x(x1) >= -margin && this.x(x0) <= this.width + margin
        && this.y(y1) >= -margin && this.y(y0) <= this.height + margin;
    }
  }

  // Shapes that people draw

  /** Distance of a point from a line or ring. */
  function distanceTo([x, y], xy, isClosed) {
    let least = Infinity;
    const count = xy.length / 2;
    for (let i = isClosed ? 0 : 1; i < count; i += 1) {
      const j = (i + count - 1) % count;
      const [ax, ay] = [xy[2 * j], xy[2 * j + 1]];
      const [dx, dy] = [xy[2 * i] - ax, xy[2 * i + 1] - ay];
      const t = Math.min(1, Math.max(0, ((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy || 1)));
      least = Math.min(least, Math.hypot(ax + t * dx - x, ay + t * dy - y));
    }
    return least;
  }

  /** The point within a polygon (its outline first, then its holes) that lies farthest from every edge, about. */
  function innermost(rings) {
    const [x0, y0, x1, y1] = union(rings.map(({ box }) => box));
    const depth = (at) => {
      const isInside = rings.reduce((inside, { xy }) => inside !== isWithin(at, xy), false);
      const way = Math.min(...rings.map(({ xy }) => distanceTo(at, xy, true)));
      return isInside ? way : -way;
    };
    let best = centroid(rings[0].xy);
    let most = depth(best);
    let [reachX, reachY] = [(x1 - x0) / 2, (y1 - y0) / 2];
    let [midX, midY] = [(x0 + x1) / 2, (y0 + y1) / 2];
    for (let round = 0; round < 5; round += 1) {
      for (let i = -4; i <= 4; i += 1) {
        for (let j = -4; j <= 4; j += 1) {
          const at = [midX + (i / 4) * reachX, midY + (j / 4) * reachY];
          const deep = depth(at);
          if (deep > most * 1.000001) [best, most] = [at, deep];
        }
      }
      [midX, midY] = best;
      reachX /= 3;
      reachY /= 3;
    }
    return best;
  }

  /** Area of a ring in squares of zoom 0. */
  function areaOf(xy) {
    let twice = 0;
    for (let i = 0, j = xy.length - 2; i < xy.length; j = i, i += 2) twice += xy[j] * xy[i + 1] - xy[i] * xy[j + 1];
    return Math.abs(twice) / 2;
  }

  /** Latitude and longitude of a point in Mercator pixels of zoom 0. */
  function unproject([x, y]) {
    const lat = (Math.atan(Math.sinh(Math.PI * (1 - (2 * y) / TILE))) * 180) / Math.PI;
    return [lat, (x / TILE - 0.5) * 360];
  }

  /** Whether two stretches a-b and c-d cross within both. */
  function cross([ax, ay], [bx, by], [cx, cy], [dx, dy]) {
    const side = (px, py, qx, qy, rx, ry) => Math.sign((qx - px) * (ry - py) - (qy - py) * (rx - px));
    return side(ax, ay, bx, by, cx, cy) * side(ax, ay, bx, by, dx, dy) < 0
      && side(cx, cy, dx, dy, ax, ay) * side(cx, cy, dx, dy, bx, by) < 0;
  }

  return {
    readCity, readCoverage, ramp, blend, STREET_WIDTHS, View,
    project, unproject, readLine, union, isWithin, distanceTo, innermost, areaOf, cross, metresPerPixel,
  };
})();
