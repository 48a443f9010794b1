"""Geotagged photo collections: EXIF reading, catalogue, cleaning, captions, splits.

For the command line and the window, `commands` holds one function per command, with plain arguments and results::

    from gpsdream_app.photos import commands
    from gpsdream_app.photos.catalogue import Catalogue

    with Catalogue(paths.catalogue_path()) as catalogue:
        report = commands.import_photos(folder, catalogue, report_file=None, workers=None, on_progress=show)
        print(report.table())  # or report.to_dict(), or report.write_json(sys.stdout) with every file
        for record in commands.list_photos(catalogue, folder=None, box=None): ...
        for outcome in commands.list_outcomes(catalogue, folder=None, reasons=None): ...
        commands.list_collections(catalogue)
        found = commands.clean_photos(catalogue, folder=None, box=None, landmark=(lat, lon, metres), apply=False)
        split = commands.split_photos(catalogue, folder=None, fraction=0.1, by="source", seed=0, out=None)

`on_progress` gets an `importer.ImportProgress` some times per second. All of them raise GPSDreamError.

For training, `importer.import_folder` brings a catalogue up to date and `catalogue.photos(folder, for_training=True)`
iterates over `records.PhotoRecord`. Importing this package loads nothing; the decoders are loaded by worker processes.
"""
